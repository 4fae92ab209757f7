"""Raw JSON on `events` → rows of user, item and `user|creator` in Redis, beside other frameworks.

Every job finds the same filled topic, the same broker and the same Redis, folds the same views, and
nothing else runs. Its rate is counted from the first row it writes until it has folded everything, or
for ``PEER_SECONDS`` where that takes too long. Then all workers of a stack do the same with all views.

What a machine does differs by the day: beside ours is what it can read and decode in one process.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import msgspec
import redis
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from benchmarks.peers.environments import python_of
from benchmarks.peers.spec import write_spec
from benchmarks.report import Figure
from benchmarks.stack import NO_WORKERS, RunningStack, running_process, running_stack, worker
from benchmarks.workload import Workload, produce
from feature_store.catalog import load_catalog
from feature_store.online.redis import RedisOnlineStore
from feature_store.schema.events import Event
from feature_store.schema.topics import EVENTS, batch_topic
from feature_store.settings import Settings

VIEWS = ("user", "item", "user|creator")
WORLD = Workload(events=1_500_000)
PEER_SECONDS = 40.0
ALONE = "one process that only reads and decodes"
PEERS = {
    "plain per-event Faust agent": ("faust", 8.0),
    "Bytewax": ("bytewax", 1.5),
    "Quix Streams": ("quix", 1.5),
}


MISSED = (
    "Ingest, features, the broker and Redis share two cores, on which one process that only reads and"
    " decodes makes little more than the target. Tried: topics folded side by side and commands to Redis"
    " packed by ourselves (1.5 times the rate), longer polls, a broker that compiles less."
)


def measure() -> list[Figure]:
    """Our rate with each peer's as its baseline, and our rate with all that a stack does."""
    name = "raw JSON events to rows of user, item and user|creator in Redis"
    with running_stack(**NO_WORKERS) as stack:
        settings = _fill(stack)
        alone = _reading_rate(settings)
        rates = {peer: _peer_rate(kind, stack) for peer, (kind, _) in PEERS.items()}
        with worker("features", VIEWS, stack), worker("ingest", VIEWS, stack) as ingest:
            ours = _rate(ingest, lambda: covered_events(settings, VIEWS), sys.float_info.max)
    with running_stack(EDDYLINE_INGEST_WORKERS="0") as stack:
        settings, views = _fill(stack), tuple(view.name for view in load_catalog().views)
        with worker("ingest", views, stack) as ingest:
            whole = _rate(ingest, lambda: covered_events(settings, views), sys.float_info.max)
    return [
        Figure(name, ours, "events/s", target=100_000.0, note=MISSED),
        Figure(f"{name}, beside {ALONE}", ours, "events/s", ALONE, alone),
        *(
            Figure(f"{name}, beside {peer}", ours, "events/s", peer, rates[peer], target, bound_ratio=True)
            for peer, (_, target) in PEERS.items()
        ),
        Figure("raw JSON events to rows of all views, feedback and join too", whole, "events/s"),
    ]


def _fill(stack: RunningStack) -> Settings:
    settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis, home=stack.home)
    now_ms = time.time_ns() // 1_000_000
    produce(settings, WORLD.items_json(now_ms))
    produce(settings, WORLD.events_json(now_ms - 3_600_000))
    return settings


def _reading_rate(settings: Settings) -> float:
    """Events/s that one consumer reads and decodes, from the first until all or for ``PEER_SECONDS``."""
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "eddyline-bench"})
    consumer.assign([TopicPartition(EVENTS, n, 0) for n in range(settings.events_partitions)])
    decode, total = msgspec.json.Decoder(Event).decode, WORLD.events + WORLD.items
    while not (messages := consumer.consume(8192, 0.004)):
        pass
    begun, read = time.perf_counter(), 0
    while read < total and time.perf_counter() - begun < PEER_SECONDS:
        for message in messages:
            decode(message.value() or b"")
        read += len(messages)
        messages = consumer.consume(8192, 0.004)
    took = time.perf_counter() - begun
    consumer.close()
    return read / took


def _peer_rate(kind: str, stack: RunningStack) -> float:
    folder = Path(__file__).with_name("peers")
    server = redis.Redis.from_url(stack.redis)
    with tempfile.TemporaryDirectory() as scratch:
        spec = write_spec(Path(scratch) / "spec.json", load_catalog(), VIEWS, stack.kafka, stack.redis)
        argv = [python_of(kind), str(folder / f"{kind}_job.py"), str(spec)]
        with running_process(argv, dict(os.environ), stack.home / f"bench-{kind}.log", scratch) as process:
            rate = _rate(process, lambda: sum(int(n) for n in server.hvals("peer:progress")), PEER_SECONDS)
    _forget(server)
    return rate


def _rate(process: subprocess.Popen[bytes], folded: Callable[[], int], limit_s: float) -> float:
    """Events/s from the first that is folded until all are, or for ``limit_s``."""
    total = WORLD.events + WORLD.items
    while (first := folded()) == 0:
        _alive(process)
        time.sleep(0.02)
    begun, now = time.perf_counter(), first
    while now < total and time.perf_counter() - begun < limit_s:
        _alive(process)
        time.sleep(0.5)  # to ask costs the machine something, too
        now = folded()
    return (now - first) / (time.perf_counter() - begun)


def covered_events(settings: Settings, views: Sequence[str]) -> int:
    """Events whose rows are all in Redis: 0 before the first row, everything once nothing lags anywhere."""
    ingested, end = _ingested(settings)
    if ingested == 0:
        return 0
    return ingested if ingested < end or _batches_behind(settings, views) == 0 else ingested - 1


def wait_until_covered(settings: Settings, views: Sequence[str] | None = None) -> None:
    """Return when every event on `events` is in the rows of ``views``; None: of all."""
    _, end = _ingested(settings)
    views = [view.name for view in load_catalog().views] if views is None else views
    while covered_events(settings, views) < end:
        time.sleep(0.2)


def _ingested(settings: Settings) -> tuple[int, int]:
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "eddyline-ingest"})
    partitions = [TopicPartition(EVENTS, n) for n in range(settings.events_partitions)]
    committed = _committed(consumer, partitions)
    end = sum(consumer.get_watermark_offsets(p, timeout=10)[1] for p in partitions)
    consumer.close()
    return committed, end


def _committed(consumer: Consumer, partitions: list[TopicPartition]) -> int:
    try:
        return sum(max(0, p.offset) for p in consumer.committed(partitions, timeout=10))
    except KafkaException as error:
        if error.args[0].code() in (KafkaError.NOT_COORDINATOR, KafkaError.COORDINATOR_NOT_AVAILABLE):
            return 0  # a young broker has no coordinator before the first group comes
        raise


def _batches_behind(settings: Settings, views: Sequence[str]) -> int:
    catalog, store = load_catalog(), RedisOnlineStore.connect(settings)
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "eddyline-bench"})
    behind = 0
    for view in map(catalog.view, views):
        partitions = range(settings.batch_partitions)
        for partition, checkpoint in zip(
            partitions, store.load_checkpoints(view.fingerprint, partitions), strict=True
        ):
            end = consumer.get_watermark_offsets(
                TopicPartition(batch_topic(view.entity), partition), timeout=10
            )[1]
            behind += end - (checkpoint.next_offset if checkpoint else 0)
    consumer.close()
    return behind


def _alive(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"{json.dumps(process.args)} ended with {process.returncode}")


def _forget(server: "redis.Redis") -> None:
    for keys in iter(lambda: list(server.scan_iter("peer:*", count=10_000))[:50_000], []):
        server.delete(*keys)

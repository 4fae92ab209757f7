"""Raw JSON on `events` → rows of user, item and `user|creator` in Redis, beside other frameworks.

Every job finds the same filled topic, the same broker and the same Redis. Its rate is counted from
the first row it writes until it has folded everything, or for ``PEER_SECONDS`` where that takes too long.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import redis
from confluent_kafka import Consumer, TopicPartition

from benchmarks.peers.environments import python_of
from benchmarks.peers.spec import write_spec
from benchmarks.report import Figure
from benchmarks.stack import RunningStack, running_stack
from benchmarks.workload import Workload, produce
from feature_store.catalog import load_catalog
from feature_store.online.redis import RedisOnlineStore
from feature_store.schema.topics import EVENTS, batch_topic
from feature_store.settings import Settings

ENTITIES = ("user", "item", "user|creator")
WORLD = Workload(events=1_500_000)
PEER_SECONDS = 40.0
PEERS = {
    "plain per-event Faust agent": ("faust", 8.0),
    "Bytewax": ("bytewax", 1.5),
    "Quix Streams": ("quix", 1.5),
}


def measure() -> list[Figure]:
    """Our rate, and each peer's as its baseline."""
    with running_stack(EDDYLINE_INGEST_WORKERS="0") as stack:
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis, home=stack.home)
        now_ms = time.time_ns() // 1_000_000
        produce(settings, WORLD.items_json(now_ms))
        produce(settings, WORLD.events_json(now_ms - 3_600_000))
        rates = {peer: _peer_rate(kind, stack) for peer, (kind, _) in PEERS.items()}
        ours = _our_rate(stack, settings)
    name = "raw JSON events to rows of every entity in Redis"
    return [
        Figure(name, ours, "events/s", target=100_000.0),
        *(
            Figure(f"{name}, beside {peer}", ours, "events/s", peer, rates[peer], target, bound_ratio=True)
            for peer, (_, target) in PEERS.items()
        ),
    ]


def _our_rate(stack: RunningStack, settings: Settings) -> float:
    environment = {
        **os.environ,
        "EDDYLINE_HOME": str(stack.home),
        "EDDYLINE_KAFKA_BOOTSTRAP": stack.kafka,
        "EDDYLINE_REDIS_URL": stack.redis,
    }
    with _process(
        [sys.executable, "-m", "streams.ingest"], environment, stack.home / "bench-ingest.log"
    ) as process:
        return _rate(process, lambda: covered_events(settings), sys.float_info.max)


def _peer_rate(kind: str, stack: RunningStack) -> float:
    folder = Path(__file__).with_name("peers")
    server = redis.Redis.from_url(stack.redis)
    with tempfile.TemporaryDirectory() as scratch:
        spec = write_spec(Path(scratch) / "spec.json", load_catalog(), ENTITIES, stack.kafka, stack.redis)
        argv = [python_of(kind), str(folder / f"{kind}_job.py"), str(spec)]
        with _process(argv, dict(os.environ), stack.home / f"bench-{kind}.log") as process:
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
        time.sleep(0.05)
        now = folded()
    return (now - first) / (time.perf_counter() - begun)


def covered_events(settings: Settings) -> int:
    """Events whose rows are all in Redis: 0 before the first row, everything once nothing lags anywhere."""
    ingested, end = _ingested(settings)
    if ingested == 0:
        return 0
    return ingested if ingested < end or _batches_behind(settings) == 0 else ingested - 1


def wait_until_covered(settings: Settings) -> None:
    """Return when every event on `events` is in the rows of every view."""
    _, end = _ingested(settings)
    while covered_events(settings) < end:
        time.sleep(0.2)


def _ingested(settings: Settings) -> tuple[int, int]:
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "eddyline-ingest"})
    partitions = [TopicPartition(EVENTS, n) for n in range(settings.events_partitions)]
    committed = sum(max(0, p.offset) for p in consumer.committed(partitions, timeout=10))
    end = sum(consumer.get_watermark_offsets(p, timeout=10)[1] for p in partitions)
    consumer.close()
    return committed, end


def _batches_behind(settings: Settings) -> int:
    catalog, store = load_catalog(), RedisOnlineStore.connect(settings)
    consumer = Consumer({"bootstrap.servers": settings.kafka_bootstrap, "group.id": "eddyline-bench"})
    behind = 0
    for view in catalog.views:
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


@contextmanager
def _process(argv: list[str], environment: dict[str, str], log: Path) -> Iterator[subprocess.Popen[bytes]]:
    with log.open("wb") as sink:
        process = subprocess.Popen(argv, env=environment, stdout=sink, stderr=subprocess.STDOUT)
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def _alive(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is not None:
        raise RuntimeError(f"{json.dumps(process.args)} ended with {process.returncode}")


def _forget(server: "redis.Redis") -> None:
    for keys in iter(lambda: list(server.scan_iter("peer:*", count=10_000))[:50_000], []):
        server.delete(*keys)

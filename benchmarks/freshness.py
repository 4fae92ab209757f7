"""From an event produced to its row in Redis, while others flow at a steady rate.

Twice: the job of the throughput figure, rows of user, item and `user|creator`, with nothing else
running; and a whole stack, with all views, the join, the ranker and the monitoring.
"""

import time
from collections.abc import Sequence

import numpy as np
from confluent_kafka import Producer

from benchmarks.paced import paced_producer
from benchmarks.report import Figure
from benchmarks.stack import NO_WORKERS, RunningStack, running_stack, worker
from benchmarks.throughput import VIEWS, wait_until_covered
from benchmarks.workload import Workload, produce
from feature_store.catalog import load_catalog
from feature_store.online.base import RowKey
from feature_store.online.redis import RedisOnlineStore
from feature_store.schema.ids import partition_of
from feature_store.settings import Settings

WORLD = Workload(events=400_000, users=20_000, items=5_000)
WARM_UP, PROBES = 100, 600
LOOK_EVERY_S = 0.001
"""More often would cost the machine more than it would tell."""
GIVE_UP_S = 10.0
"""A row that has not come by then counts as this old: the pipeline is behind."""
MISSED = (
    "Two cores fold 60 k events/s at most, so each step finds a queue before it, and an"
    " event passes eight messages through generator, broker, ingest, Faust and Redis. Tried: ingest"
    " gathers for three steps' time at most, and an event after a pause waits for nobody (at 10 k events/s"
    " 189 instead of 267 ms)."
)
Targets = tuple[float | None, float | None]
NO_TARGETS: Targets = (None, None)


def measure() -> list[Figure]:
    """p50 and p99 over probes, each a user nobody saw before whose first row is waited for."""
    with (
        running_stack(**NO_WORKERS) as stack,
        worker("features", VIEWS, stack),
        worker("ingest", VIEWS, stack),
    ):
        three = _at_rates(stack, VIEWS, {10_000: NO_TARGETS, 40_000: (15.0, 75.0)}, "three views")
    with running_stack() as stack:
        return [*three, *_at_rates(stack, None, {10_000: NO_TARGETS}, "whole stack")]


def _at_rates(
    stack: RunningStack, views: Sequence[str] | None, rates: dict[int, Targets], what: str
) -> list[Figure]:
    settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis)
    produce(settings, WORLD.items_json(time.time_ns() // 1_000_000))
    figures = []
    for rate, targets in rates.items():
        wait_until_covered(settings, views)
        with paced_producer(settings, WORLD, rate) as produced:
            _probe(stack, settings, f"warm-{rate}", WARM_UP)
            before, begun = produced(), time.perf_counter()
            times = _probe(stack, settings, f"probe-{rate}", PROBES)
            reached = (produced() - before) / (time.perf_counter() - begun)
        name = f"event produced to row in Redis at {rate // 1000} k events/s, {what}"
        figures.append(Figure(f"{name}: rate reached", reached, "events/s", target=0.98 * rate, note=MISSED))
        for quantile, target in zip((50, 99), targets, strict=True):
            value = float(np.percentile(times, quantile))
            figures.append(
                Figure(f"{name}, p{quantile}", value, "ms", target=target, at_least=False, note=MISSED)
            )
    return figures


def _probe(stack: RunningStack, settings: Settings, prefix: str, probes: int) -> list[float]:
    store = RedisOnlineStore.connect(settings)
    producer = Producer({"bootstrap.servers": stack.kafka, "linger.ms": 0, "partitioner": "murmur2_random"})
    view = load_catalog().views_of("user")[0].fingerprint
    rng = np.random.default_rng(1)
    times = []
    for n in range(probes):
        user = f"{prefix}-{n}"
        key = RowKey(partition_of(user, settings.batch_partitions), view, user)
        event = (
            f'{{"type":"impression","event_id":"{user}","event_time_ms":{time.time_ns() // 1_000_000},'
            f'"user_id":"{user}","item_id":"i{n}"}}'
        )
        begun = time.perf_counter()
        producer.produce("events", event.encode(), user)
        producer.poll(0)
        while store.multi_get([key])[0] is None and time.perf_counter() - begun < GIVE_UP_S:
            time.sleep(LOOK_EVERY_S)
        times.append((time.perf_counter() - begun) * 1e3)
        if times[-1] >= GIVE_UP_S * 1e3:
            break
        time.sleep(rng.exponential(0.01))
    producer.flush()
    return times

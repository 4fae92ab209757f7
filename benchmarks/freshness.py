"""From an event produced to its row in Redis, while 40 k events/s flow."""

import time

import numpy as np
from confluent_kafka import Producer

from benchmarks.paced import paced_producer
from benchmarks.report import Figure
from benchmarks.stack import RunningStack, running_stack
from benchmarks.workload import Workload, produce
from feature_store.catalog import load_catalog
from feature_store.online.base import RowKey
from feature_store.online.redis import RedisOnlineStore
from feature_store.schema.ids import partition_of
from feature_store.settings import Settings

WORLD = Workload(events=400_000, users=20_000, items=5_000)
PROBES = 600
LOOK_EVERY_S = 0.001
"""More often would cost the machine more than it would tell."""
GIVE_UP_S = 10.0
"""A row that has not come by then counts as this old: the pipeline is behind."""


def measure() -> list[Figure]:
    """p50 and p99 over probes, each a user nobody saw before whose first row is waited for."""
    with running_stack() as stack:
        settings = Settings(kafka_bootstrap=stack.kafka, redis_url=stack.redis)
        now_ms = time.time_ns() // 1_000_000
        produce(settings, WORLD.items_json(now_ms))
        figures = []
        for rate, targets in ((10_000, (None, None)), (40_000, (15.0, 75.0))):
            with paced_producer(settings, WORLD, rate):
                _probe(stack, settings, f"warm-{rate}", 100)
                times = _probe(stack, settings, f"probe-{rate}", PROBES)
            for quantile, target in zip((50, 99), targets, strict=True):
                name = f"event produced to row in Redis at {rate // 1000} k events/s, p{quantile}"
                value = float(np.percentile(times, quantile))
                figures.append(Figure(name, value, "ms", target=target, at_least=False))
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
    return times

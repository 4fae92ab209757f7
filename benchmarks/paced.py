"""A producer at a steady rate, in a process of its own."""

import multiprocessing
import time
from collections.abc import Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

from benchmarks.workload import Workload
from feature_store.schema.topics import EVENTS
from feature_store.settings import Settings, kafka_client_config

_TICK_S = 0.005


@contextmanager
def paced_producer(settings: Settings, workload: Workload, rate: int) -> Iterator[None]:
    """Produce ``workload`` over and over, with fresh ids and present times, at ``rate`` events/s."""
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=_produce_paced, args=(settings, workload, rate, stop), daemon=True)
    process.start()
    try:
        yield
    finally:
        stop.set()
        process.join(30)


def _produce_paced(settings: Settings, workload: Workload, rate: int, stop) -> None:  # type: ignore[no-untyped-def]
    producer = Producer(
        {
            **kafka_client_config(settings),
            "linger.ms": 5,  # librdkafka's own choice
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    messages = list(workload.events_json(0))
    begun, sent = time.monotonic(), 0
    while not stop.is_set():
        due = int((time.monotonic() - begun) * rate)
        now = str(time.time_ns() // 1_000_000).encode()
        for n in range(sent, due):
            key, value = messages[n % len(messages)]
            producer.produce(EVENTS, restamp(value, n, now), key)
        sent = due
        producer.poll(0)
        time.sleep(_TICK_S)
    producer.flush()


def restamp(value: bytes, n: int, now_ms: bytes) -> bytes:
    """The same event as a new one: another ``event_id`` and the time ``now_ms``."""
    head, _, rest = value.partition(b'"event_id":"')
    _, _, rest = rest.partition(b'"event_time_ms":')
    tail = rest[rest.index(b",") :]
    return b'%s"event_id":"paced-%d","event_time_ms":%s%s' % (head, n, now_ms, tail)

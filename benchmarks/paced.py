"""A producer at a steady rate, in a process of its own."""

import multiprocessing
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from confluent_kafka import Producer

from benchmarks.workload import Workload
from feature_store.schema.topics import EVENTS
from feature_store.settings import Settings, kafka_client_config

_TICK_S = 0.005
_START_S = 120.0
_START_EVENTS = 2_000
"""So many are produced before the rate is said to flow: connections are made by then."""


@contextmanager
def paced_producer(settings: Settings, workload: Workload, rate: int) -> Iterator[Callable[[], int]]:
    """Produce ``workload`` over and over, with fresh ids and present times, at ``rate`` events/s.

    The body runs once events flow, and is told, when it asks, how many there have been.

    Raises
    ------
    RuntimeError
        They do not flow within two minutes.
    """
    context = multiprocessing.get_context("spawn")
    stop, sent = context.Event(), context.Value("q", 0)
    process = context.Process(target=_produce_paced, args=(settings, workload, rate, stop, sent), daemon=True)
    process.start()
    try:
        _wait_until_flowing(lambda: sent.value)
        yield lambda: sent.value
    finally:
        stop.set()
        process.join(30)


def _wait_until_flowing(sent: Callable[[], int]) -> None:
    give_up = time.monotonic() + _START_S
    while sent() < _START_EVENTS:
        if time.monotonic() > give_up:
            raise RuntimeError(f"only {sent()} events after {_START_S:.0f} s")
        time.sleep(_TICK_S)


def _produce_paced(settings: Settings, workload: Workload, rate: int, stop, sent) -> None:  # type: ignore[no-untyped-def]
    producer = Producer(
        {
            **kafka_client_config(settings),
            "linger.ms": 5,  # librdkafka's own choice
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    events = [(key, *_around_stamp(value)) for key, value in workload.events_json(0)]
    begun, made = time.monotonic(), 0
    while not stop.is_set():
        due = int((time.monotonic() - begun) * rate)
        now = str(time.time_ns() // 1_000_000).encode()
        for n in range(made, due):
            key, head, tail = events[n % len(events)]
            value = b'%s"event_id":"paced-%d-%d","event_time_ms":%s%s' % (head, rate, n, now, tail)
            producer.produce(EVENTS, value, key)
        sent.value = made = due
        producer.poll(0)
        time.sleep(_TICK_S)
    producer.flush()


def _around_stamp(value: bytes) -> tuple[bytes, bytes]:
    """What stands before an event's ``event_id`` and after its ``event_time_ms``, which come together."""
    head, _, rest = value.partition(b'"event_id":"')
    _, _, rest = rest.partition(b'"event_time_ms":')
    return head, rest[rest.index(b",") :]

"""Produces events into a pipeline and knows what its rows must be afterwards."""

import random
import time

from confluent_kafka import Consumer, Producer, TopicPartition

from feature_store.schema.topics import EVENTS, ITEMS
from tests.simulation.event_load import ITEMS as ITEM_COUNT
from tests.simulation.event_load import Event, Tally, encode, feedback_event, item_events
from tests.simulation.pipeline import Pipeline, wait_until

_DUPLICATES = 0.01


class Load:
    """A producer of feedback; one event in a hundred comes twice, as from a producer that retries.

    Attributes
    ----------
    now_ms : when the load began; events are up to three days older
    """

    def __init__(self, flow: Pipeline, rng: random.Random) -> None:
        self._flow = flow
        self._rng = rng
        self.now_ms = time.time_ns() // 1_000_000
        self._number = 0
        self.tally = Tally()
        self._producer = Producer(
            {
                "bootstrap.servers": flow.settings.kafka_bootstrap,
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
            }
        )

    def produce_items(self) -> None:
        """Produce the catalogue and wait until ingest has published it."""
        for event in item_events(self.now_ms):
            self._send(event, str(event["item_id"]))
        self.flush()
        bootstrap = self._flow.settings.kafka_bootstrap
        consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "load"})
        wait_until(
            lambda: consumer.get_watermark_offsets(TopicPartition(ITEMS, 0), timeout=10)[1] >= ITEM_COUNT,
            "the items are published",
        )
        consumer.close()

    def produce(self, events: int, events_per_s: int = 10**6) -> None:
        """Produce so many events, no faster than that; returns when the broker has them."""
        began = time.monotonic()
        for number in range(events):
            event = feedback_event(self._rng, self._number, self.now_ms)
            self._number += 1
            self.tally.add(event)
            for _ in range(2 if self._rng.random() < _DUPLICATES else 1):
                self._send(event, str(event["user_id"]))
            ahead_s = number / events_per_s - (time.monotonic() - began)
            if ahead_s > 0:  # who is late does not give the processor away
                time.sleep(ahead_s)
        self.flush()

    def flush(self) -> None:
        """Wait until the broker has everything."""
        assert self._producer.flush(60) == 0

    def differences(self) -> list[str]:
        """Where the rows are not what the events add up to."""
        settings = self._flow.settings
        return list(self.tally.differences(self._flow.store(), settings.batch_partitions, self.now_ms))

    def _send(self, event: Event, key: str) -> None:
        self._producer.produce(EVENTS, encode(event), key)
        self._producer.poll(0)

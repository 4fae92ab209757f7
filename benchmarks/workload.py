"""A seeded stream of impressions and interactions, as the bytes that producers send."""

from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
import numpy as np
from confluent_kafka import Producer

from feature_store.schema.topics import EVENTS
from feature_store.settings import Settings, kafka_client_config

SLATE = 20
"""Items that a user sees at once."""
ACTIONS = ("click", "like", "dwell", "hide")


@dataclass(frozen=True)
class Workload:
    """How many events, users, items and creators; item popularity is Zipf-like."""

    events: int
    users: int = 50_000
    items: int = 10_000
    creators: int = 1_000
    interaction_share: float = 0.1
    seed: int = 1

    def items_json(self, now_ms: int) -> Iterator[tuple[str, bytes]]:
        """(key, value) of every item event."""
        for item in range(self.items):
            event = {
                "type": "item",
                "event_id": f"item-{item}",
                "event_time_ms": now_ms,
                "item_id": f"i{item}",
                "creator_id": f"c{item % self.creators}",
                "attributes": {"genres": [f"g{item % 20}", f"h{item % 7}"], "popularity": item % 100 + 0.5},
            }
            yield f"i{item}", msgspec.json.encode(event)

    def events_json(self, start_ms: int) -> Iterator[tuple[str, bytes]]:
        """(key, value) of every impression and interaction, one millisecond apart."""
        rng = np.random.default_rng(self.seed)
        requests = -(-self.events // SLATE)
        users = np.repeat(rng.integers(0, self.users, requests), SLATE)[: self.events].tolist()
        items = np.minimum(rng.pareto(1.1, self.events) * 50, self.items - 1).astype(np.int64).tolist()
        interacts = (rng.random(self.events) < self.interaction_share).tolist()
        actions = rng.choice(len(ACTIONS), self.events, p=(0.7, 0.1, 0.15, 0.05)).tolist()
        for n, (user, item, interacts_now, action) in enumerate(
            zip(users, items, interacts, actions, strict=True)
        ):
            event = {
                "type": "interaction" if interacts_now else "impression",
                "event_id": f"e{self.seed}-{n}",
                "event_time_ms": start_ms + n // 100,
                "user_id": f"u{user}",
                "item_id": f"i{item}",
                "request_id": f"r{n // SLATE}",
            }
            more = {"action": ACTIONS[action], "value": 1.0} if interacts_now else {"position": n % SLATE}
            yield f"u{user}", msgspec.json.encode(event | more)


def produce(settings: Settings, messages: Iterator[tuple[str, bytes]]) -> int:
    """Write every message to `events` and wait until the broker has it; how many there were."""
    producer = Producer(
        {
            **kafka_client_config(settings),
            "linger.ms": 20,
            "acks": "all",
            "compression.type": "lz4",
            "partitioner": "murmur2_random",
            "queue.buffering.max.messages": 1_000_000,
        }
    )
    count = 0
    for key, value in messages:
        while True:
            try:
                producer.produce(EVENTS, value, key)
                break
            except BufferError:
                producer.poll(0.1)
        count += 1
        if count % 1000 == 0:
            producer.poll(0)
    producer.flush()
    return count

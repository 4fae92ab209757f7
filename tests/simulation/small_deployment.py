"""Ingest, feature workers and a ranker in one process, in memory: events in, `rank.served` out."""

import json
import random
from collections.abc import Iterator, Sequence

from prometheus_client import CollectorRegistry

from feature_store.catalog import Catalog, load_catalog
from feature_store.clock import ManualClock
from feature_store.online import OnlineStore
from feature_store.schema.topics import RANK_SERVED, batch_topic
from feature_store.topic_log import Bounds
from ranker.side_effects.answer import Answer
from ranker.side_effects.served import ServedRows
from streams.ingest.ingestor import Ingestor
from streams.ingest.records import Run
from streams.ingest.routes import routes_of
from streams.ingest.settings import IngestSettings
from streams.processors.batch_reader import BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.start import LogBounds, TopicIdentity
from streams.processors.takeover import Takeover
from tests.unit.ranker.world import NOW_MS, PARTITIONS, SERVICE, World


class MemoryLog:
    """Topics as lists of messages; the first of each partition is at offset 0."""

    def __init__(self) -> None:
        self.partitions: dict[tuple[str, int], list[bytes]] = {}

    def append(self, topic: str, partition: int, payload: bytes) -> None:
        self.partitions.setdefault((topic, partition), []).append(payload)

    def bounds(self, topic: str) -> Bounds:
        return {at: (0, len(self.partitions.get((topic, at), ()))) for at in range(PARTITIONS)}

    def read(self, topic: str, bounds: Bounds) -> Iterator[tuple[int, int, bytes]]:
        for partition, (first, end) in bounds.items():
            for offset in range(first, end):
                yield partition, offset, self.partitions[topic, partition][offset]


class _Served:
    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    def append(self, partition: int, message: bytes) -> None:
        self._log.append(RANK_SERVED, partition, message)


def folders_of(
    store: OnlineStore, log: MemoryLog, catalog: Catalog, topics: Sequence[str]
) -> dict[str, PartitionFolder]:
    """A feature worker's folder per topic, standing at the checkpoints of the store."""
    takeover = Takeover(
        store,
        {batch_topic(entity): catalog.views_of(entity) for entity in catalog.entities},
        lambda topic: BatchReader(topic, lambda partition, offset: False, 64),
        lambda topic, partitions: {at: LogBounds(*log.bounds(topic)[at]) for at in partitions},
        FoldMetrics(CollectorRegistry(), ManualClock()),
        cache_bytes=10**7,
    )
    return {
        topic: takeover.take(TopicIdentity(topic, "id", PARTITIONS), range(PARTITIONS)) for topic in topics
    }


def fold_to_end(folders: dict[str, PartitionFolder], log: MemoryLog) -> None:
    """Fold what the folders have not folded yet."""
    for topic, folder in folders.items():
        bounds = {at: (start, log.bounds(topic)[at][1]) for at, start in folder.next_offsets().items()}
        messages: dict[int, list[tuple[int, bytes]]] = {}
        for partition, offset, payload in log.read(topic, bounds):
            messages.setdefault(partition, []).append((offset, payload))
        folder.fold(messages)


class SmallDeployment:
    """Users who see, click and like at random what is ranked for them."""

    def __init__(self, seed: int, catalog: Catalog | None = None) -> None:
        self.catalog = catalog or load_catalog()
        self.world, self.log = World(), MemoryLog()
        self._rng = random.Random(seed)
        self._ingestor = Ingestor(
            IngestSettings(batch_partitions=PARTITIONS), routes_of(self.catalog), self.world.table
        )
        self._ingestor.assign({0: 0}, {0: 0})
        self._offset, self._time_ms, self._requests = 0, NOW_MS - 10_000_000, 0
        topics = [batch_topic(entity) for entity in self.catalog.entities]
        self.folders = folders_of(self.world.store, self.log, self.catalog, topics)
        self.items = self.world.announce(12)

    def publish(self, events: int, *, fold: bool = True) -> None:
        """So many impressions and interactions, as one poll of ingest."""
        records = [json.dumps(self._event(n)).encode() for n in range(events)]
        offsets = list(range(self._offset, self._offset + events))
        run = Run(0, offsets, [self._time_ms] * events, [None] * events, list(records))
        self._offset += events
        for message in self._ingestor.ingest([run]).messages:
            if message.value is not None and message.partition is not None:
                self.log.append(message.topic, message.partition, message.value)
        if fold:
            fold_to_end(self.folders, self.log)

    def rank(self, requests: int) -> None:
        """So many requests of random users for random items, each logged."""
        for _ in range(requests):
            self._requests += 1
            query = self.world.query(
                self._rng.sample(self.items, 6), limit=4, user_id=f"u{self._rng.randrange(6)}"
            )
            outcome = self.world.pipeline().rank(query)
            answer = Answer(query, outcome, b"", NOW_MS, SERVICE.fingerprint)
            ServedRows(_Served(self.log), PARTITIONS).apply([answer])

    def _event(self, n: int) -> dict[str, object]:
        self._time_ms += self._rng.randrange(60_000)
        event: dict[str, object] = {
            "event_id": f"e{self._offset + n}",
            "event_time_ms": self._time_ms,
            "user_id": f"u{self._rng.randrange(6)}",
            "item_id": self._rng.choice(self.items),
        }
        if self._rng.random() < 0.4:
            return {**event, "type": "interaction", "action": self._rng.choice(["click", "like", "hide"])}
        return {**event, "type": "impression"}

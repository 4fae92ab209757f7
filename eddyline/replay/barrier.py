"""Waits until the rows in the online store cover everything that was published before."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from eddyline.clients.kafka import quiet_client_config
from eddyline.replay.touched import TouchedRows
from feature_store.catalog import Catalog
from feature_store.clock import Clock
from feature_store.online.base import Checkpoint, OnlineStore
from feature_store.schema.events import Event
from feature_store.schema.topics import EVENTS, batch_topic
from feature_store.settings import Settings

_LATEST = OffsetSpec.latest()  # type: ignore[no-untyped-call]

Partition = tuple[str, int]
"""Topic and partition."""


class RowsBehind(TimeoutError):  # noqa: N818  (a state of the world)
    """The rows did not catch up in time; the message says which partition is behind."""


class Offsets(Protocol):
    """What the broker knows of a log and of who read it."""

    def ends(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """The offset after the last record of every partition of ``topics``."""

    def committed(self) -> Mapping[Partition, int]:
        """Up to where ingest has turned `events` into batches; 0 where it has not begun."""


class RowsBarrier:
    """Tells when rows cover every earlier event.

    For each event in the log we know where it is and which rows it touches, so rows cover it once the
    checkpoints of their views have that offset among their high waters. An event that gives no rows (a
    duplicate, a dead letter) never shows there. For those the rule is slower, and holds for any event:
    ingest commits an offset only after all batches made from what is before it are in Kafka, and a
    checkpoint is written only after the rows of all batches before it; so rows cover what was published
    once the commits have passed the end of `events`, and then the checkpoints the end of the batches.

    Parameters
    ----------
    touched : which rows an event touches
    store : read for the checkpoints
    catalog : the views to wait for
    drained : whether the slower rule holds for all that has been noted
    clock : measures the time waited
    pause : called between two looks
    timeout_s : how long to wait before :class:`RowsBehind`
    drained_every_ms : time between two looks at the slower rule
    """

    def __init__(
        self,
        touched: TouchedRows,
        store: OnlineStore,
        catalog: Catalog,
        drained: Callable[[], bool],
        clock: Clock,
        pause: Callable[[], None],
        timeout_s: float = 60.0,
        drained_every_ms: float = 100.0,
    ) -> None:
        self._touched = touched
        self._store = store
        self._views = {
            entity: [view.fingerprint for view in catalog.views_of(entity)] for entity in catalog.entities
        }
        self._drained = drained
        self._clock = clock
        self._pause = pause
        self._timeout_s = timeout_s
        self._drained_every_ns = int(drained_every_ms * 1e6)
        self._needed: dict[str, dict[int, dict[int, int]]] = defaultdict(lambda: defaultdict(dict))

    def note(self, event: Event, partition: int, offset: int) -> None:
        """Take note that ``event`` lies at ``offset`` of ``partition`` of `events`."""
        for entity, batch_partition in self._touched(event):
            high = self._needed[entity][batch_partition]
            high[partition] = max(offset, high.get(partition, -1))

    def wait(self) -> None:
        """Return once rows cover all that has been noted.

        Raises
        ------
        RowsBehind
            When they do not within the timeout.
        """
        began_ns = self._clock.monotonic_ns()
        look_ns = began_ns + self._drained_every_ns
        while next(self._behind(), None):
            now_ns = self._clock.monotonic_ns()
            if now_ns - began_ns > self._timeout_s * 1e9:
                raise RowsBehind(
                    f"rows not up to date after {self._timeout_s:.0f} s: {'; '.join(self._behind())}"
                )
            if now_ns >= look_ns:
                if self._drained():
                    break
                look_ns = now_ns + self._drained_every_ns
            self._pause()
        self._needed.clear()

    def _behind(self) -> Iterator[str]:
        """What is behind; reads only as many checkpoints as its caller asks for."""
        for entity, needed in self._needed.items():
            for view in self._views[entity]:
                checkpoints = self._store.load_checkpoints(view, [*needed])
                for partition, source, at, end in _lags(needed, checkpoints):
                    yield (
                        f"view {view} of {entity}, batch partition {partition}, has rows up to"
                        f" offset {at} of {end} of {EVENTS}[{source}]"
                    )


def _lags(
    needed: Mapping[int, Mapping[int, int]], checkpoints: Iterable[Checkpoint | None]
) -> Iterable[tuple[int, int, int, int]]:
    """(batch partition, source partition, offset reached, offset needed) of what is behind."""
    for (partition, high), checkpoint in zip(needed.items(), checkpoints, strict=True):
        reached = {} if checkpoint is None else checkpoint.source_high_water
        for source, end in high.items():
            if reached.get(source, -1) < end:
                yield partition, source, reached.get(source, -1), end


class Drained:
    """Whether rows cover all that was in `events` when asked, whatever it was.

    Parameters
    ----------
    offsets : positions in Kafka
    store : read for the checkpoints
    catalog : the views to wait for
    """

    def __init__(self, offsets: Offsets, store: OnlineStore, catalog: Catalog) -> None:
        self._offsets = offsets
        self._store = store
        self._views = {
            batch_topic(entity): [view.fingerprint for view in catalog.views_of(entity)]
            for entity in catalog.entities
        }

    def __call__(self) -> bool:
        """Ingest has passed the end of `events`, and after that all views the end of their batches."""
        return not self.lag() and all(self._folded(where, end) for where, end in self._batch_ends())

    def lag(self) -> int:
        """Records of `events` that ingest has not turned into batches yet."""
        ends = self._offsets.ends([EVENTS])
        committed = self._offsets.committed()
        return sum(max(0, end - committed.get(where, 0)) for where, end in ends.items())

    def _batch_ends(self) -> Iterable[tuple[Partition, int]]:
        return [(where, end) for where, end in self._offsets.ends(self._views).items() if end]

    def _folded(self, where: Partition, end: int) -> bool:
        topic, partition = where
        found = [self._store.load_checkpoints(view, [partition])[0] for view in self._views[topic]]
        return all(checkpoint is not None and checkpoint.next_offset >= end for checkpoint in found)


class KafkaOffsets:
    """`Offsets` of a real broker.

    Parameters
    ----------
    settings : how to reach it
    group : consumer group of ingest, only asked about, never joined
    """

    def __init__(self, settings: Settings, group: str) -> None:
        connection = quiet_client_config(settings)
        self._admin = AdminClient(dict(connection))
        self._group = Consumer({**connection, "group.id": group, "enable.auto.commit": False})
        self._partitions: dict[str, list[TopicPartition]] = {}

    def ends(self, topics: Iterable[str]) -> Mapping[Partition, int]:
        """See `Offsets.ends`."""
        wanted = [partition for topic in topics for partition in self._partitions_of(topic)]
        found = self._admin.list_offsets(dict.fromkeys(wanted, _LATEST))
        return {(at.topic, at.partition): future.result().offset for at, future in found.items()}

    def committed(self) -> Mapping[Partition, int]:
        """See `Offsets.committed`."""
        found = self._group.committed(self._partitions_of(EVENTS), timeout=10)
        return {(at.topic, at.partition): max(0, at.offset) for at in found}

    def close(self) -> None:
        """Leave the broker."""
        self._group.close()

    def _partitions_of(self, topic: str) -> list[TopicPartition]:
        if topic not in self._partitions:
            metadata = self._admin.list_topics(topic, timeout=10).topics[topic]
            self._partitions[topic] = [TopicPartition(topic, number) for number in metadata.partitions]
        return self._partitions[topic]

"""A back-fill on Kafka and the online store."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass

from confluent_kafka import Consumer
from prometheus_client import CollectorRegistry

from feature_store.clock import SystemClock
from feature_store.online import OnlineStore
from feature_store.schema.topics import batch_topic
from feature_store.topic_log import Bounds, log_bounds, log_reader, read_log
from feature_store.views import FeatureView
from streams.apps.features_settings import FeaturesSettings
from streams.apps.log_bounds import KafkaLogs
from streams.apps.topic_identities import topic_identities
from streams.backfill.backfill import backfill
from streams.processors.batch_reader import BatchMessage, BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.start import LogBounds
from streams.processors.takeover import Takeover

RUN_ROWS = 131_072
"""Rows folded before one write: nobody waits for a single one."""
BEHIND_MAX = 64
"""Batches left to the worker that takes over: it folds these in an instant."""
_MB = 1024 * 1024

Told = Callable[[int, int], None]
"""Called with the batches folded so far and those that there are."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to back-fill.

    Attributes
    ----------
    views : of one entity
    starts : partition -> the first batch to fold, where the view has no checkpoint; others from the beginning
    """

    views: tuple[FeatureView, ...]
    starts: Mapping[int, int]

    @property
    def topic(self) -> str:
        """The topic of the views' entity."""
        return batch_topic(self.views[0].entity)


def without_rows(
    settings: FeaturesSettings, store: OnlineStore, views: Sequence[FeatureView]
) -> list[FeatureView]:
    """Those of ``views`` that have no checkpoint in a partition that has batches: nobody has folded them."""
    logs, partitions = KafkaLogs(settings), list(range(settings.batch_partitions))

    def is_unfolded(view: FeatureView) -> bool:
        held = logs.bounds(batch_topic(view.entity), partitions)
        checkpoints = store.load_checkpoints(view.fingerprint, partitions)
        return any(held[at].end > 0 and checkpoints[at] is None for at in partitions)

    return [view for view in views if is_unfolded(view)]


def run_backfill(settings: FeaturesSettings, store: OnlineStore, wanted: Wanted, told: Told) -> None:
    """Back-fill views up to the end of their log.

    Raises
    ------
    CannotStart
        When their checkpoints cannot be gone on from.
    StaleOwner
        When a feature worker has taken the views over.
    feature_store.views.MissingColumn
        When the log begins before the views' columns were written.
    """
    with closing(log_reader(settings, "backfill")) as consumer:
        folder = _folder(settings, store, wanted)
        log = _TopicLog(consumer, wanted.topic)
        total = sum(log.ends().values())
        backfill(folder, log, lambda at: told(sum(at.values()), total), behind_max=BEHIND_MAX)


def _folder(settings: FeaturesSettings, store: OnlineStore, wanted: Wanted) -> PartitionFolder:
    skipped = settings.skipped(wanted.topic)
    takeover = Takeover(
        store,
        {wanted.topic: wanted.views},
        lambda topic: BatchReader(topic, lambda *place: place in skipped, RUN_ROWS),
        lambda topic, partitions: _bounds(settings, wanted, partitions),
        FoldMetrics(CollectorRegistry(), SystemClock()),
        cache_bytes=settings.features_cache_mb * _MB,
        accept_incomplete=settings.features_accept_incomplete or bool(wanted.starts),
    )
    identity = topic_identities(settings, [wanted.topic])[wanted.topic]
    return takeover.take(identity, range(settings.batch_partitions))


def _bounds(settings: FeaturesSettings, wanted: Wanted, partitions: Sequence[int]) -> dict[int, LogBounds]:
    """What the log holds, from where it is to be folded."""
    return {
        at: LogBounds(min(held.end, max(held.start, wanted.starts.get(at, 0))), held.end)
        for at, held in KafkaLogs(settings).bounds(wanted.topic, partitions).items()
    }


class _TopicLog:
    """One topic, read through one consumer."""

    def __init__(self, consumer: Consumer, topic: str) -> None:
        self._consumer = consumer
        self._topic = topic

    def ends(self) -> Mapping[int, int]:
        return {at: end for at, (_, end) in log_bounds(self._consumer, self._topic).items()}

    def read(self, bounds: Bounds) -> Iterator[tuple[int, BatchMessage]]:
        for message in read_log(self._consumer, self._topic, bounds):
            yield message.partition() or 0, (message.offset() or 0, message.value() or b"")

"""Taking over partitions: claim every view of each, check that it can go on, and stand ready to fold."""

from collections.abc import Callable, Mapping

from feature_store.online.base import OnlineStore
from feature_store.views import FeatureView
from streams.processors.batch_reader import BatchReader
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.partition import BatchPartition
from streams.processors.start import LogBounds, TopicIdentity, start_offset

_ENTRY_BYTES = 200
"""What an entity costs in memory beside its row: its id and its place in the dictionary."""


class Takeover:
    """Makes the `BatchPartition` of an assignment.

    Parameters
    ----------
    views : topic -> the views folded from it
    cache_bytes : memory for rows, shared equally by all folders of an assignment
    readers : (topic, partition) -> how to decode its messages
    accept_incomplete : see `start_offset`
    """

    def __init__(
        self,
        store: OnlineStore,
        views: Mapping[str, tuple[FeatureView, ...]],
        readers: Callable[[str, int], BatchReader],
        metrics: FoldMetrics,
        *,
        cache_bytes: int,
        accept_incomplete: bool = False,
    ) -> None:
        self._store = store
        self._views = views
        self._readers = readers
        self._metrics = metrics
        self._cache_bytes = cache_bytes
        self._accept_incomplete = accept_incomplete

    def take(
        self, logs: Mapping[tuple[TopicIdentity, int], LogBounds]
    ) -> dict[tuple[str, int], BatchPartition]:
        """Own every view of these partitions from now on.

        Raises
        ------
        CannotStart
            As `start_offset`.
        """
        folders = sum(len(self._views[topic.name]) for topic, _ in logs)
        return {
            (topic.name, partition): self._partition(topic, partition, log, self._cache_bytes // folders)
            for (topic, partition), log in logs.items()
        }

    def _partition(
        self, topic: TopicIdentity, partition: int, log: LogBounds, cache_bytes: int
    ) -> BatchPartition:
        folders = [self._folder(view, topic, partition, log, cache_bytes) for view in self._views[topic.name]]
        return BatchPartition(self._readers(topic.name, partition), folders, self._metrics)

    def _folder(
        self, view: FeatureView, topic: TopicIdentity, partition: int, log: LogBounds, cache_bytes: int
    ) -> PartitionFolder:
        claim = self._store.claim(view.fingerprint, partition)
        start = start_offset(
            claim.checkpoint, topic, partition, log, accept_incomplete=self._accept_incomplete
        )
        return PartitionFolder(
            view,
            partition,
            self._store,
            claim,
            topic,
            start,
            cache_rows_max=max(1, cache_bytes // (view.width * 8 + _ENTRY_BYTES)),
            metrics=self._metrics,
        )

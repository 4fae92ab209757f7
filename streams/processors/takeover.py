"""Taking over partitions: claim every view of each, check that it can go on, and stand ready to fold."""

from collections.abc import Callable, Mapping

from feature_store.online.base import OnlineStore
from feature_store.views import FeatureView
from streams.processors.batch_reader import BatchReader
from streams.processors.entities import Entities
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
    cache_bytes : memory for rows, shared equally by all partitions of an assignment
    readers : (topic, partition, entities) -> how to decode its messages
    accept_incomplete : see `start_offset`
    """

    def __init__(
        self,
        store: OnlineStore,
        views: Mapping[str, tuple[FeatureView, ...]],
        readers: Callable[[str, int, Entities], BatchReader],
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
        cache_bytes = self._cache_bytes // max(1, len(logs))
        return {
            (topic.name, partition): self._partition(topic, partition, log, cache_bytes)
            for (topic, partition), log in logs.items()
        }

    def _partition(
        self, topic: TopicIdentity, partition: int, log: LogBounds, cache_bytes: int
    ) -> BatchPartition:
        entities, views = Entities(), self._views[topic.name]
        folders = [self._folder(view, topic, partition, log, entities) for view in views]
        reader = self._readers(topic.name, partition, entities)
        entity_bytes = _ENTRY_BYTES + sum(view.width * 8 for view in views)
        return BatchPartition(reader, entities, folders, self._metrics, max(1, cache_bytes // entity_bytes))

    def _folder(
        self,
        view: FeatureView,
        topic: TopicIdentity,
        partition: int,
        log: LogBounds,
        entities: Entities,
    ) -> PartitionFolder:
        claim = self._store.claim(view.fingerprint, partition)
        start = start_offset(
            claim.checkpoint, topic, partition, log, accept_incomplete=self._accept_incomplete
        )
        return PartitionFolder(view, partition, self._store, claim, topic, start, entities, self._metrics)

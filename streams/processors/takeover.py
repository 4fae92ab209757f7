"""Taking over partitions: claim every view of each, check that it can go on, and stand ready to fold."""

from collections.abc import Callable, Mapping

from feature_store.online.base import OnlineStore
from feature_store.views import FeatureView
from streams.processors.batch_reader import BatchReader
from streams.processors.entities import Entities
from streams.processors.fold_metrics import FoldMetrics
from streams.processors.folder import PartitionFolder
from streams.processors.ledger import Ledger
from streams.processors.start import LogBounds, TopicIdentity, start_offset
from streams.processors.view_folder import ViewFolder

_ENTITY_BYTES = 250
"""What an entity costs in memory beside its rows: its id, its number, its places."""


class Takeover:
    """Makes the folder of a topic for the partitions of an assignment.

    Parameters
    ----------
    views : topic -> the views folded from it
    readers : topic -> how to decode its messages
    cache_bytes : memory for the rows of one topic
    accept_incomplete : see `start_offset`
    """

    def __init__(
        self,
        store: OnlineStore,
        views: Mapping[str, tuple[FeatureView, ...]],
        readers: Callable[[str], BatchReader],
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

    def take(self, topic: TopicIdentity, logs: Mapping[int, LogBounds]) -> PartitionFolder:
        """Own every view of these partitions from now on.

        Raises
        ------
        CannotStart
            As `start_offset`.
        """
        entities, views = Entities(), self._views[topic.name]
        folders = [
            ViewFolder(
                view,
                {partition: self._ledger(view, topic, partition, log) for partition, log in logs.items()},
                self._store,
                entities,
                self._metrics.of(view.name),
            )
            for view in views
        ]
        entity_bytes = _ENTITY_BYTES + sum(view.width * 8 for view in views)
        return PartitionFolder(
            tuple(logs),
            self._readers(topic.name),
            entities,
            folders,
            self._store,
            self._metrics,
            max(1, self._cache_bytes // entity_bytes),
        )

    def _ledger(self, view: FeatureView, topic: TopicIdentity, partition: int, log: LogBounds) -> Ledger:
        claim = self._store.claim(view.fingerprint, partition)
        start = start_offset(
            claim.checkpoint, topic, partition, log, accept_incomplete=self._accept_incomplete
        )
        return Ledger(view.fingerprint, partition, claim, topic, start, view.ttl_s)

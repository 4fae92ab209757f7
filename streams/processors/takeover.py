"""Taking over partitions: claim every view of each, check that it can go on, and stand ready to fold."""

from collections.abc import Callable, Mapping, Sequence

from feature_store.online.base import Claim, OnlineStore
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
    log_bounds : (topic, partitions) -> what the log holds of each, as of now
    cache_bytes : memory for the rows of one topic
    accept_incomplete : see `start_offset`
    """

    def __init__(
        self,
        store: OnlineStore,
        views: Mapping[str, tuple[FeatureView, ...]],
        readers: Callable[[str], BatchReader],
        log_bounds: Callable[[str, Sequence[int]], Mapping[int, LogBounds]],
        metrics: FoldMetrics,
        *,
        cache_bytes: int,
        accept_incomplete: bool = False,
    ) -> None:
        self._store = store
        self._views = views
        self._readers = readers
        self._log_bounds = log_bounds
        self._metrics = metrics
        self._cache_bytes = cache_bytes
        self._accept_incomplete = accept_incomplete

    def take(self, topic: TopicIdentity, partitions: Sequence[int]) -> PartitionFolder:
        """Own every view of these partitions from now on.

        Raises
        ------
        CannotStart
            As `start_offset`.
        """
        entities, views = Entities(), self._views[topic.name]
        ledgers = self._ledgers(topic, partitions)
        folders = [
            ViewFolder(view, ledgers[view.fingerprint], self._store, entities, self._metrics.of(view.name))
            for view in views
        ]
        entity_bytes = _ENTITY_BYTES + sum(view.width * 8 for view in views)
        return PartitionFolder(
            partitions,
            self._readers(topic.name),
            entities,
            folders,
            self._store,
            self._metrics,
            max(1, self._cache_bytes // entity_bytes),
        )

    def _ledgers(self, topic: TopicIdentity, partitions: Sequence[int]) -> dict[str, dict[int, Ledger]]:
        """By the view's fingerprint. Claims come first: until then another owner may still go on."""
        views = self._views[topic.name]
        claims = {
            view.fingerprint: [self._store.claim(view.fingerprint, n) for n in partitions] for view in views
        }
        logs = self._log_bounds(topic.name, partitions)
        return {
            view.fingerprint: {
                partition: self._ledger(view, topic, partition, claim, logs[partition])
                for partition, claim in zip(partitions, claims[view.fingerprint], strict=True)
            }
            for view in views
        }

    def _ledger(
        self, view: FeatureView, topic: TopicIdentity, partition: int, claim: Claim, log: LogBounds
    ) -> Ledger:
        start = start_offset(
            claim.checkpoint, topic, partition, log, accept_incomplete=self._accept_incomplete
        )
        return Ledger(view.fingerprint, partition, claim, topic, start, view.ttl_s)

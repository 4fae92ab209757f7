"""For surfaces that show only what has been announced."""

from ranker.pipeline.batch import Bool, CandidateBatch
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query


class UnknownItem:
    """Drops items that no item event has announced."""

    name = "unknown_item"

    def keep(self, query: Query, batch: CandidateBatch, features: Features) -> Bool:
        """(n,) bool."""
        known: Bool = batch.rows >= 0
        return known

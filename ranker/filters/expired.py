"""Nothing that is over or gone."""

from ranker.pipeline.batch import Bool, CandidateBatch
from ranker.pipeline.features import Features
from ranker.pipeline.items import ItemColumns
from ranker.pipeline.query import Query


class Expired:
    """Drops items that were removed, or whose time is over at the finalize time; unknown ones stay."""

    name = "expired"

    def __init__(self, items: ItemColumns) -> None:
        self._items = items

    def keep(self, query: Query, batch: CandidateBatch, features: Features) -> Bool:
        """(n,) bool."""
        return ~self._items.expired(batch.rows, query.finalize_time_ms)

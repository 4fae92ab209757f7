"""`GET /v1/features/{entity}/{entity_id}`: what a model would read of an entity now, by name."""

import msgspec

from feature_store.catalog import Catalog
from feature_store.clock import Clock
from feature_store.fetcher import RowFetcher
from feature_store.schema.ids import partition_of
from feature_store.views import LAST_EVENT_TIME


class UnknownEntity(LookupError):  # noqa: N818  (named for what it says)
    """No view is about this entity."""


class EntityFeatures(msgspec.Struct):
    """Features of one entity.

    Attributes
    ----------
    as_of_time_ms : newest event folded into them; None: there was none, they are the defaults
    age_ms : how long ago that was
    """

    entity: str
    entity_id: str
    features: dict[str, float]
    as_of_time_ms: int | None
    age_ms: int | None


class FeatureReader:
    """Reads and finalizes every view of an entity.

    Parameters
    ----------
    partitions : of the batch topics
    """

    def __init__(self, catalog: Catalog, fetcher: RowFetcher, partitions: int, clock: Clock) -> None:
        self._catalog = catalog
        self._fetcher = fetcher
        self._partitions = partitions
        self._clock = clock

    def read(self, entity: str, entity_id: str) -> EntityFeatures:
        """The features as of now.

        Raises
        ------
        UnknownEntity
            No view is about ``entity``.
        """
        views = self._catalog.views_of(entity)
        if not views:
            known = ", ".join(self._catalog.entities)
            raise UnknownEntity(f"no features are kept of entity {entity!r}; there are {known}")
        partition = partition_of(entity_id, self._partitions)
        rows = self._fetcher.fetch({view: ([entity_id], partition) for view in views})
        now_ms = self._clock.now_ms()
        features: dict[str, float] = {}
        for view in views:
            features |= dict(zip(view.columns, view.finalize(rows[view], now_ms)[0].tolist(), strict=True))
        newest = int(max(rows[view][0, LAST_EVENT_TIME] for view in views))
        if newest < 0:
            return EntityFeatures(entity, entity_id, features, None, None)
        return EntityFeatures(entity, entity_id, features, newest, now_ms - newest)

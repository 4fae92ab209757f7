"""What a request's user did last, as id columns that all its candidates share."""

from collections.abc import Mapping
from typing import NamedTuple

from feature_store.aggregators import RecentIds
from feature_store.catalog import Catalog
from feature_store.views import FeatureService, FeatureView, Float64, column_ref
from ranker.pipeline.batch import Int64


class _Ring(NamedTuple):
    view: str
    state: slice
    aggregator: RecentIds
    places: slice


class RecentColumns:
    """Reads the recent ids of a feature service off rows of the user.

    Attributes
    ----------
    views : whose rows these are, each once
    """

    def __init__(self, catalog: Catalog, service: FeatureService) -> None:
        self._rings: list[_Ring] = []
        first = len(service.ids)
        for recents, k in service.recents:
            name, column = column_ref(recents.source)
            view, places = catalog.view(name), slice(first, first := first + k)
            aggregator = view.feature(column).source
            assert isinstance(aggregator, RecentIds)  # the catalog refuses others
            self._rings.append(_Ring(name, view.state_of(column), aggregator, places))
        self.views: tuple[FeatureView, ...] = tuple(
            catalog.view(name) for name in dict.fromkeys(ring.view for ring in self._rings)
        )

    def fill(self, ids: Int64, rows: Mapping[str, Float64]) -> None:
        """Write them into the model's (n, m) ids; ``rows`` : view -> (1, width)."""
        for ring in self._rings:
            ids[:, ring.places] = ring.aggregator.newest_first(rows[ring.view][:, ring.state])

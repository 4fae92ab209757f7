"""How features come about, and what loops through each view are allowed to gain."""

from collections.abc import Iterator

from feature_store.catalog import Catalog
from feature_store.lineage import Edge, Kind, LineageError, Node, feature, topic
from feature_store.schema.topics import batch_topic
from feature_store.views import FeatureService, column_ref

FEATURES_GROUP = "eddyline-features"

ALLOWED_GAIN = {"item": 0.01, "creator": 0.01, "user": 0.01, "user|creator": 0.01, "user|genres": 0.01}
"""Long-run gain that counting clicks may have on scores, per view: a popularity feature *is* a loop."""


def feature_edges(catalog: Catalog) -> Iterator[Edge]:
    """Batches to features, for every feature of every view.

    Raises
    ------
    LineageError
        :data:`ALLOWED_GAIN` names a view that is not there.
    """
    absent = ALLOWED_GAIN.keys() - {view.name for view in catalog.views}
    if absent:
        raise LineageError(f"ALLOWED_GAIN: there is no view {min(absent)!r}")
    for view in catalog.views:
        batches = topic(batch_topic(view.entity))
        for column in view.columns:
            yield Edge(batches, feature(view.name, column), by="features", group=FEATURES_GROUP)


def service_edges(catalog: Catalog, service: FeatureService) -> Iterator[Edge]:
    """Features, and items' attributes, to the service that models read."""
    node = Node(Kind.SERVICE, service.name)
    views = {view.name for view in catalog.views}
    for reference in (*service.user, *service.candidate):
        view, column = column_ref(reference)
        source = feature(view, column) if view in views else topic("items")
        yield Edge(source, node, by="ranker", allowed_gain=ALLOWED_GAIN.get(view))

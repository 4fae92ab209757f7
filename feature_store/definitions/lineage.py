"""How features come about, and who reads them."""

from collections.abc import Iterator, Sequence

from feature_store.catalog import Catalog
from feature_store.lineage import Edge, Kind, Node, feature, topic
from feature_store.schema.topics import ITEMS, batch_topic
from feature_store.views import FeatureService, column_ref

FEATURES_GROUP = "eddyline-features"


def feature_edges(catalog: Catalog) -> Iterator[Edge]:
    """Batches to features, for every feature of every view."""
    for view in catalog.views:
        batches = topic(batch_topic(view.entity))
        for column in view.columns:
            yield Edge(batches, feature(view.name, column), by="features", group=FEATURES_GROUP)


def allowed_gains(catalog: Catalog, columns: Sequence[str]) -> tuple[float | None, ...]:
    """What each column's view allows loops through it: 0 where it says nothing, None without a view."""
    of_view = {view.name: view.allowed_gain or 0.0 for view in catalog.views}
    return tuple(of_view.get(column_ref(column)[0]) for column in columns)


def service_edges(catalog: Catalog, service: FeatureService) -> Iterator[Edge]:
    """Features, and items' attributes, to the service that models read."""
    node = Node(Kind.SERVICE, service.name)
    views = {view.name: view for view in catalog.views}
    recents = dict.fromkeys(each.source for each, _ in service.recents)
    for reference in (*service.user, *service.candidate, *recents):
        view, column = column_ref(reference)
        if view in views:
            gain = views[view].allowed_gain
            yield Edge(feature(view, column), node, by="ranker", allowed_gain=gain)
        else:
            yield Edge(topic(ITEMS), node, by="ranker")

"""Declared lineage: nodes as text, edges each once, what consumer groups are declared to read."""

from dataclasses import replace

import pytest

from feature_store.catalog import Catalog, load_catalog
from feature_store.definitions.lineage import FEATURES_GROUP, allowed_gains, feature_edges, service_edges
from feature_store.lineage import Edge, Kind, Lineage, LineageError, Node, feature, model, topic


def test_a_node_is_its_text() -> None:
    node = Node.parse("view:user|creator")
    assert (node.kind, node.name, str(node)) == (Kind.VIEW, "user|creator", "view:user|creator")


@pytest.mark.parametrize("text", ["events", "river:events", "topic:", ""])
def test_what_is_no_node_is_refused(text: str) -> None:
    with pytest.raises(LineageError, match="expected kind:name"):
        Node.parse(text)


def test_a_negative_gain_is_refused() -> None:
    with pytest.raises(LineageError, match="allowed_gain: -1 is below 0"):
        Edge(topic("a"), topic("b"), by="x", allowed_gain=-1)


def test_groups_are_those_of_edges_from_topics() -> None:
    lineage = Lineage.of(
        [Edge(topic("a"), topic("b"), by="x", group="g"), Edge(topic("c"), topic("b"), by="x", group="g")],
        [Edge(topic("a"), topic("b"), by="x", group="g"), Edge(model("m"), topic("b"), by="y")],
    )
    assert len(lineage.edges) == 3
    assert lineage.groups() == {"g": {"a", "c"}}


def test_every_feature_that_a_service_reads_comes_from_batches() -> None:
    catalog = load_catalog()
    made = {edge.target for edge in feature_edges(catalog)}
    read = {edge.source for edge in service_edges(catalog, catalog.service("timeline_v1"))}
    assert read - made == {topic("items")}
    assert feature("user_recents", "clicked_items") in read
    assert {edge.group for edge in feature_edges(catalog)} == {FEATURES_GROUP}


def test_what_a_view_allows_is_allowed_its_columns_and_nothing_is_said_of_attributes() -> None:
    catalog = load_catalog()
    undecided = [replace(view, allowed_gain=None) for view in catalog.views if view.name == "item"]
    others = [view for view in catalog.views if view.name != "item"]
    columns = ("item.click_count_total", "user|creator.click_count_total", "attribute.popularity")
    assert allowed_gains(catalog, columns) == (0.01, 0.01, None)
    assert allowed_gains(Catalog([*undecided, *others], [], []), columns) == (0.0, 0.01, None)

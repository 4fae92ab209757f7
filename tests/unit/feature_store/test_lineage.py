"""Declared lineage: nodes as text, edges each once, what consumer groups are declared to read."""

import pytest

from feature_store.catalog import load_catalog
from feature_store.definitions.lineage import FEATURES_GROUP, feature_edges, service_edges
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

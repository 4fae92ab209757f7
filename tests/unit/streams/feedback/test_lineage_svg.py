"""The drawing: every node a box, every edge an arrow, what leads back in another colour."""

from xml.etree import ElementTree

from feature_store.lineage import USERS, Edge, Kind, Lineage, Node, model, topic
from streams.feedback.lineage_svg import lineage_svg

SVG = "{http://www.w3.org/2000/svg}"


def drawn(*edges: Edge) -> ElementTree.Element:
    return ElementTree.fromstring(lineage_svg(Lineage(edges)))


def arrows(svg: ElementTree.Element, marker: str) -> int:
    return sum(path.get("marker-end") == f"url(#{marker})" for path in svg.iter(f"{SVG}path"))


def test_every_node_and_edge_is_drawn_once_and_the_way_back_is_red() -> None:
    policy = Node(Kind.POLICY, "p")
    svg = drawn(
        Edge(USERS, topic("events"), by="a"),
        Edge(topic("events"), model("m <1>"), by="b"),
        Edge(model("m <1>"), policy, by="c"),
        Edge(policy, USERS, by="d"),
    )
    titles = {title.text for title in svg.iter(f"{SVG}title")}
    assert titles == {"people:users", "topic:events", "model:m <1>", "policy:p"}
    assert (arrows(svg, "on"), arrows(svg, "back")) == (3, 1)
    assert next(text.text for text in svg.iter(f"{SVG}text")) == "users"


def test_boxes_do_not_overlap() -> None:
    svg = drawn(
        *(Edge(USERS, topic(f"t{n}"), by="a") for n in range(5)), Edge(topic("t0"), topic("t1"), by="b")
    )
    places = [(float(box.get("x", 0)), float(box.get("y", 0))) for box in svg.iter(f"{SVG}rect")]
    assert len(set(places)) == len(places) == 6


def test_topics_that_feed_each_other_are_drawn_too() -> None:
    svg = drawn(Edge(topic("a"), topic("b"), by="x"), Edge(topic("b"), topic("a"), by="y"))
    assert (arrows(svg, "on"), arrows(svg, "back")) == (1, 1)

"""Draws a lineage as SVG: what feeds what from left to right, and in red what leads back."""

from collections.abc import Container
from xml.sax.saxutils import escape

import networkx as nx

from feature_store.lineage import Kind, Lineage, Node
from streams.feedback.lineage import by_view, graph_of, model_outputs

_WIDTH, _HEIGHT, _GAP_X, _GAP_Y, _MARGIN = 150, 30, 70, 16, 30
_FILL = {
    Kind.PEOPLE: "#fde68a",
    Kind.TOPIC: "#dbeafe",
    Kind.VIEW: "#dcfce7",
    Kind.SERVICE: "#bbf7d0",
    Kind.MODEL: "#fbcfe8",
    Kind.POLICY: "#e9d5ff",
    Kind.OVERRIDE: "#fecaca",
}
_ARROW = (
    '<marker id="{0}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6" markerHeight="6"'
    ' orient="auto"><path d="M0 0L8 4L0 8z" fill="{1}"/></marker>'
)

_STAGES = {
    Kind.PEOPLE: 0,
    Kind.SYSTEM: 0,
    Kind.VIEW: 2,
    Kind.FEATURE: 2,
    Kind.SERVICE: 3,
    Kind.MODEL: 4,
    Kind.POLICY: 5,
    Kind.OVERRIDE: 6,
}
_INPUT_STAGE, _OUTPUT_STAGE = 1, 7

Place = tuple[float, float]


def lineage_svg(lineage: Lineage) -> str:
    """The text of an SVG file, views in place of their features."""
    graph = graph_of(by_view(lineage))
    forward = forward_part(graph, model_outputs(lineage))
    layers = [sorted(layer) for layer in nx.topological_generations(forward)]
    places = _places(layers)
    width = _MARGIN * 2 + len(layers) * (_WIDTH + _GAP_X) - _GAP_X
    height = _MARGIN * 2 + max(map(len, layers)) * (_HEIGHT + _GAP_Y) + 60
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif"'
        ' font-size="11">',
        f"<defs>{_ARROW.format('on', '#64748b')}{_ARROW.format('back', '#dc2626')}</defs>",
        *(_arrow(places[a], places[b], not forward.has_edge(a, b), height) for a, b in graph.edges),
        *(_box(node, place) for node, place in places.items()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def forward_part(graph: "nx.DiGraph[Node]", outputs: Container[str]) -> "nx.DiGraph[Node]":
    """The graph without the edges that lead back: from a decision to what it was made from, say.

    Parameters
    ----------
    outputs : names of the topics that carry models' decisions
    """
    forward = graph.edge_subgraph(
        [(a, b) for a, b in graph.edges if _stage(a, outputs) <= _stage(b, outputs)]
    ).copy()
    forward.add_nodes_from(graph)
    while not nx.is_directed_acyclic_graph(forward):
        forward.remove_edge(*nx.find_cycle(forward)[-1][:2])
    return forward


def _stage(node: Node, outputs: Container[str]) -> int:
    if node.kind is Kind.TOPIC:
        return _OUTPUT_STAGE if node.name in outputs else _INPUT_STAGE
    return _STAGES[node.kind]


def _places(layers: list[list[Node]]) -> dict[Node, Place]:
    tallest = max(map(len, layers))
    return {
        node: (
            _MARGIN + column * (_WIDTH + _GAP_X),
            _MARGIN + (row + (tallest - len(layer)) / 2) * (_HEIGHT + _GAP_Y),
        )
        for column, layer in enumerate(layers)
        for row, node in enumerate(layer)
    }


def _box(node: Node, place: Place) -> str:
    x, y = place
    fill = _FILL.get(node.kind, "#f1f5f9")
    return (
        f'<g><title>{escape(str(node))}</title><rect x="{x}" y="{y}" width="{_WIDTH}" height="{_HEIGHT}"'
        f' rx="5" fill="{fill}" stroke="#64748b"/><text x="{x + _WIDTH / 2}" y="{y + _HEIGHT / 2 + 4}"'
        f' text-anchor="middle">{escape(node.name)}</text></g>'
    )


def _arrow(start: Place, end: Place, back: bool, height: float) -> str:
    x0, y0 = start[0] + _WIDTH, start[1] + _HEIGHT / 2
    x1, y1 = end[0], end[1] + _HEIGHT / 2
    if back:
        low = height - _MARGIN / 2
        x0, y0, x1, y1 = start[0] + _WIDTH / 2, start[1] + _HEIGHT, end[0] + _WIDTH / 2, end[1] + _HEIGHT
        path = f"M{x0} {y0}C{x0} {low} {x1} {low} {x1} {y1}"
        return f'<path d="{path}" fill="none" stroke="#dc2626" marker-end="url(#back)"/>'
    middle = (x0 + x1) / 2
    path = f"M{x0} {y0}C{middle} {y0} {middle} {y1} {x1} {y1}"
    return f'<path d="{path}" fill="none" stroke="#64748b" opacity=".6" marker-end="url(#on)"/>'

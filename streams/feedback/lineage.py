"""D0: loops of the declared graph, and consumers of a model's output that nobody declared.

Deterministic. Without the declared graph every popularity feature would count as a hidden loop.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

import networkx as nx

from feature_store.lineage import Edge, Kind, Lineage, Node
from feature_store.views import column_ref

MOST_LOOPS = 1000
"""Loops listed at most: their number grows exponentially with the edges."""

Groups = Mapping[str, Iterable[str]]
"""Consumer group -> topics that it reads, as the broker knows them."""


@dataclass(frozen=True, slots=True)
class Loop:
    """A closed path of declared edges.

    Attributes
    ----------
    nodes : once around, beginning at the smallest; a view stands for all its features
    allowed_gain : the least that any of its edges allows; None: no edge allows any
    """

    nodes: tuple[Node, ...]
    allowed_gain: float | None

    @property
    def allowed(self) -> bool:
        """Whether somebody decided how much it may gain."""
        return self.allowed_gain is not None

    def to_json(self) -> dict[str, object]:
        return {"nodes": list(map(str, self.nodes)), "allowed_gain": self.allowed_gain}


@dataclass(frozen=True, slots=True)
class UndeclaredConsumer:
    """A consumer group that reads what a model decided, and is not declared to.

    Attributes
    ----------
    models : whose output the topic carries
    writes : what the group is declared to write elsewhere; empty: unknown
    closes_loop : whether that leads back to the topic; None: unknown
    """

    group: str
    topic: str
    models: tuple[str, ...]
    writes: tuple[Node, ...]
    closes_loop: bool | None

    def to_json(self) -> dict[str, object]:
        return {
            "group": self.group,
            "topic": self.topic,
            "models": list(self.models),
            "writes": list(map(str, self.writes)),
            "closes_loop": self.closes_loop,
        }


def by_view(lineage: Lineage) -> Lineage:
    """The same lineage with each view in place of its features, allowing what its strictest feature does."""
    merged: dict[tuple[Node, Node, str, str | None], Edge] = {}
    for edge in lineage.edges:
        folded = Edge(
            _view_of(edge.source), _view_of(edge.target), edge.by, edge.group, edge.allowed_gain, edge.why
        )
        key = (folded.source, folded.target, folded.by, folded.group)
        known = merged.get(key)
        if known is None or _strictness(folded.allowed_gain) < _strictness(known.allowed_gain):
            merged[key] = folded
    return Lineage(tuple(merged.values()))


def loops(lineage: Lineage, most: int = MOST_LOOPS) -> list[Loop]:
    """Loops of the lineage by view, those that nobody allowed first; at most ``most``."""
    graph = graph_of(by_view(lineage))
    found = [_loop(graph, cycle) for cycle in islice(nx.simple_cycles(graph), most)]
    return sorted(found, key=lambda loop: (loop.allowed, len(loop.nodes), loop.nodes))


def undeclared_consumers(lineage: Lineage, observed: Groups) -> list[UndeclaredConsumer]:
    """Groups that read a model's output without being declared to, by group and topic."""
    outputs = model_outputs(lineage)
    declared = lineage.groups()
    found = (
        _undeclared(lineage, group, topic, outputs[topic])
        for group, topics in observed.items()
        for topic in set(topics) - declared.get(group, set())
        if topic in outputs
    )
    return sorted(found, key=lambda consumer: (consumer.group, consumer.topic))


def model_outputs(lineage: Lineage) -> dict[str, tuple[str, ...]]:
    """Topic -> names of the models whose decisions reach it other than through people."""
    graph = graph_of(lineage)
    graph.remove_nodes_from([node for node in lineage.nodes if node.kind is Kind.PEOPLE])
    outputs: dict[str, list[str]] = {}
    for node in sorted(graph):
        if node.kind is Kind.MODEL:
            for reached in nx.descendants(graph, node):
                if reached.kind is Kind.TOPIC:
                    outputs.setdefault(reached.name, []).append(node.name)
    return {topic: tuple(models) for topic, models in outputs.items()}


def graph_of(lineage: Lineage) -> "nx.DiGraph[Node]":
    """The nodes and edges; attribute ``allowed_gain`` is the strictest of parallel edges that state one."""
    graph: nx.DiGraph[Node] = nx.DiGraph()
    for edge in lineage.edges:
        known = graph.get_edge_data(edge.source, edge.target, {}).get("allowed_gain")
        graph.add_edge(edge.source, edge.target, allowed_gain=_strictest([known, edge.allowed_gain]))
    return graph


def _view_of(node: Node) -> Node:
    return Node(Kind.VIEW, column_ref(node.name)[0]) if node.kind is Kind.FEATURE else node


def _strictness(gain: float | None) -> float:
    return float("inf") if gain is None else gain


def _strictest(gains: Iterable[float | None]) -> float | None:
    return min((gain for gain in gains if gain is not None), default=None)


def _loop(graph: "nx.DiGraph[Node]", cycle: list[Node]) -> Loop:
    start = cycle.index(min(cycle))
    nodes = (*cycle[start:], *cycle[:start])
    pairs = zip(nodes, (*nodes[1:], nodes[0]), strict=True)
    return Loop(nodes, _strictest(graph.edges[pair]["allowed_gain"] for pair in pairs))


def _undeclared(lineage: Lineage, group: str, topic: str, models: tuple[str, ...]) -> UndeclaredConsumer:
    writes = tuple(dict.fromkeys(edge.target for edge in lineage.edges if edge.group == group))
    graph = graph_of(lineage)
    source = Node(Kind.TOPIC, topic)
    leads_back = any(target == source or nx.has_path(graph, target, source) for target in writes)
    return UndeclaredConsumer(group, topic, models, writes, leads_back if writes else None)

"""What flows where, as declared data: nodes that hold something, and edges along which it flows."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class LineageError(ValueError):
    """A declaration cannot be used; the message names it."""


class Kind(StrEnum):
    """What a node is."""

    PEOPLE = "people"
    TOPIC = "topic"
    VIEW = "view"
    FEATURE = "feature"
    SERVICE = "service"
    MODEL = "model"
    POLICY = "policy"
    OVERRIDE = "override"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True, order=True)
class Node:
    """Something that holds or passes on what others made; its text is ``kind:name``."""

    kind: Kind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``.

        Raises
        ------
        LineageError
            ``text`` is not ``kind:name``, or there is no such kind.
        """
        kind, _, name = text.partition(":")
        if kind not in set(Kind) or not name:
            raise LineageError(f"{text!r}: expected kind:name, the kind one of {', '.join(Kind)}")
        return cls(Kind(kind), name)


USERS = Node(Kind.PEOPLE, "users")
"""Who sees timelines and acts on them: the part of every loop that no code declares."""


CATALOGUE = Node(Kind.SYSTEM, "catalogue")
"""Who adds, changes and removes items."""


@dataclass(frozen=True, slots=True)
class Edge:
    """What ``target`` holds is made from what ``source`` holds.

    Attributes
    ----------
    by : process that does it
    group : its Kafka consumer group, where ``source`` is a topic that it consumes with one
    allowed_gain : long-run gain G that loops through this edge may have; None: this edge allows none
    why : what the flow is for
    """

    source: Node
    target: Node
    by: str
    group: str | None = None
    allowed_gain: float | None = None
    why: str = ""

    def __post_init__(self) -> None:
        if self.allowed_gain is not None and not self.allowed_gain >= 0:
            raise LineageError(
                f"{self.source} -> {self.target}: allowed_gain: {self.allowed_gain} is below 0"
            )

    def to_json(self) -> dict[str, object]:
        """All but ``why``."""
        return {
            "source": str(self.source),
            "target": str(self.target),
            "by": self.by,
            "group": self.group,
            "allowed_gain": self.allowed_gain,
        }


@dataclass(frozen=True)
class Lineage:
    """A set of declared edges."""

    edges: tuple[Edge, ...]

    @classmethod
    def of(cls, *parts: Iterable[Edge]) -> Self:
        """The edges of all ``parts``, each once."""
        return cls(tuple(dict.fromkeys(edge for part in parts for edge in part)))

    @property
    def nodes(self) -> tuple[Node, ...]:
        """Every node of some edge, in the order of declaration."""
        return tuple(dict.fromkeys(node for edge in self.edges for node in (edge.source, edge.target)))

    def groups(self) -> dict[str, set[str]]:
        """Consumer group -> names of the topics that it is declared to read."""
        found: dict[str, set[str]] = {}
        for edge in self.edges:
            if edge.group is not None and edge.source.kind is Kind.TOPIC:
                found.setdefault(edge.group, set()).add(edge.source.name)
        return found


def topic(name: str) -> Node:
    """The node of a topic."""
    return Node(Kind.TOPIC, name)


def model(name: str) -> Node:
    """The node of a model, all its versions."""
    return Node(Kind.MODEL, name)


def feature(view: str, column: str) -> Node:
    """The node of one feature."""
    return Node(Kind.FEATURE, f"{view}.{column}")

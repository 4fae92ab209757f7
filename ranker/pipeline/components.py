"""The protocols of the stages. What they forbid: a scorer cannot drop or reorder, a filter cannot
invent, a selector cannot hide its propensities.

A component raises when it has nothing to say; the executor notes it and goes on. A component that
talks to another process bounds its wait by the query's deadline.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ranker.pipeline.batch import Bool, CandidateBatch, Float64, Heads
from ranker.pipeline.features import Features
from ranker.pipeline.outcome import Slate
from ranker.pipeline.query import Query


class Source(Protocol):
    """Finds candidates."""

    name: str

    def fetch(self, query: Query) -> list[str]:
        """Item ids, best first; duplicates collapse later, the first wins."""


class Hydrator(Protocol):
    """Finds out what is known about a request's user and candidates."""

    def hydrate(self, query: Query, batch: CandidateBatch) -> Features:
        """The model's inputs in the order of ``batch``."""

    def blank(self, query: Query, batch: CandidateBatch) -> Features:
        """The same from memory and declared defaults alone; never fails."""


class Filter(Protocol):
    """Says which candidates may be shown."""

    name: str

    def keep(self, query: Query, batch: CandidateBatch, features: Features) -> Bool:
        """(n,) bool."""


@dataclass(frozen=True, slots=True)
class Scored:
    """A scorer's answer.

    Attributes
    ----------
    heads : head -> (n,) float32
    model, version : which model it is from; empty where none is
    notes : what the answer must say about how it was scored
    """

    heads: Heads
    model: str = ""
    version: str = ""
    notes: Sequence[str] = ()


class Scorer(Protocol):
    """Scores every candidate; ``name`` ends the notes ``<name>_unavailable`` and ``scored_by_<name>``."""

    name: str

    def score(self, query: Query, batch: CandidateBatch, features: Features) -> Scored:
        """Every head's score of every candidate, in the order of ``batch``."""


class Value(Protocol):
    """Makes one number out of the heads."""

    def value(self, heads: Heads) -> Float64:
        """(n,) float64; not finite where a head that counts is not."""


class Nudger(Protocol):
    """Knows what is added to published scores, and never to anything else."""

    def nudge(self, epoch: int, batch: CandidateBatch) -> Float64:
        """(n,) to be added to each candidate's score."""


class Selector(Protocol):
    """Orders the candidates."""

    def select(self, query: Query, batch: CandidateBatch, published: Float64) -> Slate:
        """At most ``query.limit`` positions of ``batch`` with their propensities."""


@dataclass(frozen=True, slots=True)
class Surface:
    """The stages that a surface configures.

    Attributes
    ----------
    policy : name and version of the configuration, logged with everything it decided
    """

    policy: str
    sources: tuple[Source, ...]
    filters: tuple[Filter, ...]
    value: Value
    selector: Selector

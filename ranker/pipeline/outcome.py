"""What a ranking ends in: the slate, and everything needed to say later why."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from feature_store.schema.requests import Assignment
from ranker.pipeline.batch import CandidateBatch, Float64, Heads, Index
from ranker.pipeline.features import Features

EMBEDDED_INFERENCE = "embedded_inference"
"""Says where the model ran: the one note by which an answer lacks nothing."""


@dataclass(frozen=True, slots=True)
class Slate:
    """The ordered answer.

    Attributes
    ----------
    order : (s,) positions in the scored batch, best first
    propensities : (s,) probability with which the policy put each item where it is, in (0, 1]
    """

    order: Index
    propensities: Float64


@dataclass(frozen=True, slots=True)
class Scores:
    """What the scorer and the value model said of each candidate.

    Attributes
    ----------
    heads : head -> (n,) float32
    raw : (n,) value of the heads, always finite
    nudge : (n,) what instrumentation added
    model, version : which model said it; empty where none did
    """

    heads: Heads
    raw: Float64
    nudge: Float64
    model: str
    version: str

    @property
    def published(self) -> Float64:
        """(n,) what the selector sorts by."""
        return self.raw + self.nudge


@dataclass(frozen=True, slots=True)
class Failure:
    """A component that gave no answer, or gave it too late."""

    note: str
    error: str


@dataclass(frozen=True, slots=True)
class RankingOutcome:
    """A finished ranking.

    Attributes
    ----------
    batch, features : the candidates that were scored
    removed_by : filter -> ids of the candidates that it removed
    degraded : the answer's notes, in the order in which it happened: what it was made without, or how
    failures : the errors behind it
    stage_ms : stage -> milliseconds
    assignments : experiment -> the arm that this request was in
    """

    batch: CandidateBatch
    features: Features
    removed_by: dict[str, list[str]]
    scores: Scores
    slate: Slate
    policy: str
    degraded: tuple[str, ...]
    failures: tuple[Failure, ...]
    stage_ms: dict[str, float]
    assignments: Mapping[str, Assignment] = field(default_factory=dict)

    @property
    def lacks(self) -> tuple[str, ...]:
        """What the answer was made without: its notes, but for those that only say how it was made."""
        return tuple(note for note in self.degraded if note != EMBEDDED_INFERENCE)

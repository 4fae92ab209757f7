"""What a detector of feedback loops is, and what it says."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

Observation = TypeVar("Observation", contravariant=True)
State = Mapping[str, NDArray[np.generic]]
"""A detector's whole state by name, for a checkpoint. Names and shapes are stable for equal parameters."""


LINEAGE = "D0"
"""The detector that looks at the declared lineage; a process of its own writes what it finds."""


class VerdictKind(StrEnum):
    """States of a detector, from no knowledge to alarm."""

    WARMING_UP = "warming_up"
    BLIND = "blind"
    QUIET = "quiet"
    WARNING = "warning"
    LOOP_DETECTED = "loop_detected"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with its confidence sequence."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a detector says as of now.

    Attributes
    ----------
    kind : `warning` since W reached ``ticket``, `loop_detected` since it reached ``page``, until a reset
    detector : its name
    statistic : natural logarithm of the largest W so far
    ticket, page : thresholds for W
    beta : effect of one unit of nudge, one epoch later, where the detector estimates one
    gain : the long-run gain G, the sum of that effect over later epochs
    evidence : where it was found: model, feature, pair, lag, slices; ready for JSON
    reason : why it is blind or still warming up, in words
    now_ms : when it was asked, ms UTC
    """

    kind: VerdictKind
    detector: str
    statistic: float
    ticket: float
    page: float
    now_ms: int
    beta: Estimate | None = None
    gain: Estimate | None = None
    evidence: Mapping[str, object] = field(default_factory=dict)
    reason: str = ""


class FeedbackDetector(Protocol[Observation]):
    """Takes in one kind of observation; O(1) memory per unit; exact under replay.

    The same observations in the same order give the same state bit for bit; ``restore`` of a ``state``
    continues where that detector was.
    """

    name: str

    def update(self, observation: Observation) -> None: ...

    def verdict(self, now_ms: int) -> Verdict: ...

    def state(self) -> State: ...

    def restore(self, state: State) -> None: ...

    def reset(self) -> None: ...

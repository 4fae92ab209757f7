"""What instrumentation does to one request: drawn before it is ranked, logged with its answer."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from feature_store.schema.requests import Assignment


@dataclass(frozen=True, slots=True)
class Exploration:
    """How one request explores: with probability ``share`` one of the first ``positions`` is given away.

    Attributes
    ----------
    share : within (0, 1)
    positions : each is the slot with equal probability
    slot : the position drawn; None: this request does not explore
    draw : uniform within [0, 1): which candidate gets the slot
    """

    share: float
    positions: int
    slot: int | None
    draw: float


@dataclass(frozen=True, slots=True)
class Arms:
    """What was drawn for one request.

    Attributes
    ----------
    nudge_epoch : epoch whose nudges are added to the scores; None: none are
    exploration : None: the slate is the policy's own
    holdout : whether the frozen model answers
    assignments : experiment -> arm and the probability of having drawn it, as logged
    """

    nudge_epoch: int | None = None
    exploration: Exploration | None = None
    holdout: bool = False
    assignments: Mapping[str, Assignment] = field(default_factory=dict)


NO_ARMS = Arms()
"""Of a request that no experiment touches."""

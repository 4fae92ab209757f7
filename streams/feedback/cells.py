"""What happened to each item in one epoch: the detectors' input."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.evidence.betting import Float64

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class EpochCells:
    """Item-epoch cells of one epoch as columns: n slots of items, over ``streams`` of shape (*runs, k).

    The k subjects are models, or slices of one model's users. ``runs`` is empty, but for simulations, whose
    seeds go side by side. An item keeps its slot for as long as it is known. The nudge, drawn at the
    beginning of the epoch and in force during it, is the treatment; scores and contributions were taken at
    the beginning, *before* it could act.

    Attributes
    ----------
    epoch : counted from the beginning of time in steps of one
    version : the pinned model version that made the scores
    present : (*streams, n) the item is in the catalogue
    fresh : (*streams, n) the slot had another item, or none, in the epoch before
    raw_score : (*streams, n) score before the nudge; NaN where it was not logged
    contributions : (*streams, f, n) by which each feature changes the raw score from its reference value
    nudge : (*streams, n) what was added to the score in this epoch; 0 is none, NaN unknown
    exposures, clicks : (*streams, n) counts within the epoch
    """

    epoch: int
    version: str
    present: Mask
    fresh: Mask
    raw_score: Float64
    contributions: Float64
    nudge: Float64
    exposures: Float64
    clicks: Float64

    def __post_init__(self) -> None:
        shape = self.raw_score.shape
        for name in ("present", "fresh", "nudge", "exposures", "clicks"):
            if getattr(self, name).shape != shape:
                raise ValueError(
                    f"{name}: shape {getattr(self, name).shape} is not that of raw_score, {shape}"
                )
        *streams, _, n = self.contributions.shape
        if (*streams, n) != shape:
            raise ValueError(
                f"contributions: shape {self.contributions.shape} does not fit raw_score, {shape}"
            )

    @property
    def streams(self) -> tuple[int, ...]:
        return self.raw_score.shape[:-1]

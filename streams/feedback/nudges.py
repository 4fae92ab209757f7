"""What was done to each item lately, and how much a bet on its response is worth."""

import numpy as np

from streams.feedback.cells import EpochCells, Mask
from streams.feedback.evidence.betting import Float64

LEAST_WEIGHT = 0.02

LARGE_NUDGE = 0.4
"""Nudges up to this share of the scores' standard deviation found β within 15 % of that of small ones; larger
ones saturate, as nothing can be shown to more users than all."""


class NudgeRecord:
    """Signed weights of the last epochs' nudges: (lags + 1) float64 per item, and one for its exposures.

    The weight of an item is its exposure in the epoch *before* the nudge relative to the mean, within [.02,
    1]: seldom shown items answer with noise. Exposure after the nudge would depend on the nudge.

    Parameters
    ----------
    longest : longest lag kept
    shape : (*streams, n)

    Attributes
    ----------
    stakes : (longest + 1, *shape), sign times weight by lag; 0 where nothing was done
    doses : (longest + 1, *streams), size of the nudge by lag, in score units
    exposures : (*shape,) of the last epoch
    """

    def __init__(self, longest: int, shape: tuple[int, ...]) -> None:
        self.stakes = np.zeros((longest + 1, *shape))
        self.doses = np.zeros((longest + 1, *shape[:-1]))
        self.exposures = np.zeros(shape)

    def push(self, cells: EpochCells) -> None:
        """This epoch's nudges become lag 0; a slot's new item has no past."""
        signs = np.sign(np.nan_to_num(cells.nudge)) * cells.present
        self.stakes[1:] = self.stakes[:-1] * ~cells.fresh
        self.stakes[0] = signs * exposure_weights(self.exposures * ~cells.fresh, cells.present)
        self.doses[1:] = self.doses[:-1]
        nudged = np.maximum(np.abs(signs).sum(axis=-1), 1.0)
        self.doses[0] = (np.abs(np.nan_to_num(cells.nudge)) * cells.present).sum(axis=-1) / nudged
        self.exposures = np.where(cells.present, cells.exposures, 0.0)

    def staked(self) -> Mask:
        """(*shape,) items whose nudge of the epoch before is worth a bet: none where nothing was exposed."""
        return np.asarray(self.stakes[1] != 0.0)

    def withdraw(self, refused: Mask) -> None:
        """Never bet on this epoch's nudges in the (*streams,) ``refused`` streams."""
        self.stakes[0][refused] = 0.0

    def forget(self) -> None:
        self.stakes[...] = 0.0
        self.exposures[...] = 0.0


def exposure_weights(before: Float64, present: Mask) -> Float64:
    """(*streams, n) weight of each item by its exposures ``before`` the nudge."""
    total, count = before.sum(axis=-1, keepdims=True), present.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = before * count / total
    weights: Float64 = np.where(total > 0, np.clip(relative, LEAST_WEIGHT, 1.0), 0.0)
    return weights

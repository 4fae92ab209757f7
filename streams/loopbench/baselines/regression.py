"""Noise that is added to predictions, and a regression on it (Wager et al., NeurIPS 2014, arXiv 1310.2931).

The test is a t-test at p < .01. It is valid at one look; here, as in any dashboard, it is looked at in
every epoch, and epochs are pooled as if cells were independent.
"""

import numpy as np

from streams.feedback.cells import EpochCells, Mask
from streams.feedback.evidence.betting import Float64
from streams.loopbench.baselines.scored_changes import ScoredChanges

_SIGNIFICANT_T = 2.576


class NoiseRegression:
    """Slope of the change of the score on the nudge before it, all cells so far together."""

    name = "noise_regression"

    def __init__(self) -> None:
        self._changes = ScoredChanges()
        self._sums: Float64 = np.zeros(())
        self._alarmed: Mask = np.zeros((), np.bool_)

    def update(self, cells: EpochCells) -> None:
        """Take in the next epoch."""
        pair = self._changes.next(cells)
        if pair is None:
            self._sums = np.zeros((6, cells.raw_score.shape[0]))
            self._alarmed = np.zeros(cells.raw_score.shape[0], np.bool_)
            return
        nudge, change = pair
        known = np.isfinite(nudge) & np.isfinite(change)
        x, y = np.where(known, nudge, 0.0), np.where(known, change, 0.0)
        terms = (known * 1.0, x, y, x * x, x * y, y * y)
        self._sums = self._sums + np.stack([term.sum(axis=-1) for term in terms])
        self._alarmed = np.abs(_t_statistic(self._sums)) > _SIGNIFICANT_T

    def alarmed(self) -> Mask:
        """(runs,) whether the slope is significant now."""
        return self._alarmed


def _t_statistic(sums: Float64) -> Float64:
    n, x, y, xx, xy, yy = sums
    spread_x, spread_y, shared = xx - x * x / n, yy - y * y / n, xy - x * y / n
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = shared / spread_x
        error = np.sqrt(np.maximum(spread_y - slope * shared, 0.0) / (n - 2) / spread_x)
        t: Float64 = np.nan_to_num(slope / error)
    return t

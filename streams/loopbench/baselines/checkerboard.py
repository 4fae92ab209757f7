"""CheckerBoard performative drift detection, CB-PDD (Gower-Winter et al., arXiv 2412.10545).

There, predictions alternate between two groups of instances from trial to trial, and the changes of a
class's density that follow are compared between instances that were predicted to be of it and those that
were not: Mann-Whitney at .05, after every trial. Here a trial is an epoch, what is predicted is the sign of
the nudge, and the density is the mean score of a group.
"""

import numpy as np
from scipy.stats import mannwhitneyu

from streams.feedback.cells import EpochCells, Mask
from streams.feedback.evidence.betting import Float64
from streams.loopbench.baselines.scored_changes import ScoredChanges

LEVEL = 0.05
_FIRST_LOOK = 5


class Checkerboard:
    """Changes after a promotion against changes after a demotion, one of each in a trial."""

    name = "cb_pdd"

    def __init__(self) -> None:
        self._changes = ScoredChanges()
        self._promoted: list[Float64] = []
        self._demoted: list[Float64] = []
        self._runs = 0

    def update(self, cells: EpochCells) -> None:
        """Take in the next trial."""
        self._runs = cells.raw_score.shape[0]
        pair = self._changes.next(cells)
        if pair is None:
            return
        nudge, change = pair
        self._promoted.append(_mean(change, nudge > 0))
        self._demoted.append(_mean(change, nudge < 0))

    def alarmed(self) -> Mask:
        """(runs,) whether the groups differ now."""
        if len(self._promoted) < _FIRST_LOOK:
            return np.zeros(self._runs, np.bool_)
        p = mannwhitneyu(np.stack(self._promoted), np.stack(self._demoted), axis=0).pvalue
        return np.asarray(p < LEVEL)


def _mean(change: Float64, group: Mask) -> Float64:
    known = group & np.isfinite(change)
    mean: Float64 = np.where(known, change, 0.0).sum(axis=-1) / np.maximum(known.sum(axis=-1), 1)
    return mean

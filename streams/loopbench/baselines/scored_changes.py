"""Changes of items' raw scores over an epoch beside the nudge that they got in it."""

import numpy as np

from streams.feedback.cells import EpochCells
from streams.feedback.evidence.betting import Float64


class ScoredChanges:
    """Pairs each epoch's nudges with the scores of the next."""

    def __init__(self) -> None:
        self._score: Float64 | None = None
        self._nudge: Float64 | None = None

    def next(self, cells: EpochCells) -> tuple[Float64, Float64] | None:
        """(runs, k·n) nudges and the changes that followed, NaN where there is none; None at first."""
        runs = cells.raw_score.shape[0]
        score = np.where(cells.present, cells.raw_score, np.nan).reshape(runs, -1)
        fresh = cells.fresh.reshape(runs, -1)
        pair = None
        if self._score is not None and self._nudge is not None:
            pair = self._nudge, np.where(fresh, np.nan, score - self._score)
        self._score, self._nudge = score, cells.nudge.reshape(runs, -1)
        return pair

"""A trend test on exposure concentration: the monitor that one builds first."""

import numpy as np

from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import Float64

FIRST_LOOK = 10
_SIGNIFICANT_Z = 2.576


class GiniTrend:
    """Mann-Kendall test (Mann 1945) on the Gini coefficient of exposure, at p < .01 in every epoch."""

    name = "gini_mann_kendall"

    def __init__(self) -> None:
        self._series: list[Float64] = []
        self._concordance: Float64 = np.zeros(())

    def update(self, value: Float64) -> None:
        """Take in the next epoch's coefficient, (runs,)."""
        if self._series:
            self._concordance = self._concordance + np.sign(value - np.stack(self._series)).sum(axis=0)
        self._series.append(value)

    def alarmed(self) -> Mask:
        """(runs,) whether there is a significant trend now."""
        n = len(self._series)
        if n < FIRST_LOOK:
            return np.zeros_like(self._series[0], np.bool_)
        variance = n * (n - 1) * (2 * n + 5) / 18
        z = (np.abs(self._concordance) - 1.0) / np.sqrt(variance)
        return np.asarray(z > _SIGNIFICANT_Z)

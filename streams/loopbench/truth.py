"""What nudges really did to the next score: the world was also played with the opposite ones."""

import numpy as np

from streams.feedback.nudges import exposure_weights
from streams.loopbench.noise import Float64


class Truth:
    """Running means of β from each subject's nudges (last axis) to each subject's scores.

    Parameters
    ----------
    shape : (runs, k, n)
    """

    def __init__(self, shape: tuple[int, ...]) -> None:
        runs, k, _ = shape
        self._sums = np.zeros((3, runs, k, k))
        self._weights = np.zeros((3, runs, k))

    def add(self, signs: Float64, change: Float64, before: Float64) -> None:
        """One epoch: half the difference per unit of nudge that (runs, k, n) ``signs`` made to each score.

        ``before`` are the exposures of the epoch before.
        """
        weights = (np.ones_like(before), before, exposure_weights(before, np.ones(before.shape, np.bool_)))
        for total, weight, weighting in zip(self._sums, self._weights, weights, strict=True):
            total += change @ (signs * weighting).swapaxes(-1, -2)
            weight += weighting.sum(axis=-1)

    @property
    def over_items(self) -> Float64:
        """β_u (runs, k, k): every item counts the same."""
        return self._mean(0)

    @property
    def over_exposure(self) -> Float64:
        """β_w (runs, k, k): items count by their exposure before the nudge."""
        return self._mean(1)

    @property
    def as_estimated(self) -> Float64:
        """(runs, k, k) with the detectors' weights: exposure before the nudge, at most the mean."""
        return self._mean(2)

    def _mean(self, which: int) -> Float64:
        weights = self._weights[which][:, None, :]
        mean: Float64 = self._sums[which] / np.where(weights > 0, weights, 1.0)
        return mean

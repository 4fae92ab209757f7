"""How sure a mean, or the difference of two rankers on the same requests, is.

Source: Efron and Tibshirani, "An introduction to the bootstrap" (1993), percentile intervals; paired,
since all rankers are measured on the same requests.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

DRAWS = 1_000
LEVEL = 0.95
_AT_ONCE = 40
"""Draws in memory, as each holds a number for every request. A multiple of 8, as many rows as BLAS takes
together: so the sums are the same bits as of all draws at once."""


class Interval(NamedTuple):
    """Where the mean lies in 95 of 100 samples of requests."""

    low: float
    high: float


def interval_of(values: NDArray[np.float64], *, seed: int = 0) -> Interval:
    """Percentile interval of the mean of one value per request; NaN where there is none."""
    if not len(values):
        return Interval(float("nan"), float("nan"))
    rng, even = np.random.default_rng(seed), np.full(len(values), 1 / len(values))
    drawn = (rng.multinomial(len(values), even, size=_AT_ONCE) for _ in range(DRAWS // _AT_ONCE))
    means = np.concatenate([weights @ values for weights in drawn]) / len(values)
    low, high = np.quantile(means, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high))

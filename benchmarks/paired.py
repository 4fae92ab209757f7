"""The ratio of two things measured in pairs of blocks: what a machine's mood does to both cancels out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]

RESAMPLES = 2_000


@dataclass(frozen=True)
class PairedRatio:
    """The median of the pairs' ratios, with its 95 % bootstrap interval over pairs."""

    estimate: float
    lower: float
    upper: float


def turns(pairs: int, rng: np.random.Generator) -> list[tuple[bool, bool]]:
    """Which of the two comes first in each pair: as often one as the other, in random order."""
    first = rng.permutation(np.arange(pairs) % 2 == 0).tolist()
    return [(each, not each) for each in first]


def paired_ratio(measured: Float64, baseline: Float64, rng: np.random.Generator) -> PairedRatio:
    """Of the medians of blocks.

    Parameters
    ----------
    measured, baseline : (pairs, calls) times, of which equal rows were measured one after the other
    """
    ratios = np.median(measured, axis=1) / np.median(baseline, axis=1)
    chosen = rng.integers(0, len(ratios), (RESAMPLES, len(ratios)))
    lower, upper = np.percentile(np.median(ratios[chosen], axis=1), (2.5, 97.5))
    return PairedRatio(float(np.median(ratios)), float(lower), float(upper))

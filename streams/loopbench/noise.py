"""Randomness of many seeds side by side, each with a generator of its own."""

from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]


class SeededNoise:
    """Draws with the seeds along the first axis; a seed's numbers do not depend on which seeds run beside it.

    Parameters
    ----------
    seeds : one for each run
    shape : of what one run draws at a time, (k, n)
    """

    def __init__(self, seeds: Iterable[int | Sequence[int]], shape: tuple[int, int]) -> None:
        self._seeds = [np.atleast_1d(seed).tolist() for seed in seeds]
        self._generators = [np.random.default_rng(seed) for seed in self._seeds]
        self.shape = (len(self._generators), *shape)

    def apart(self, number: int) -> Self:
        """Other randomness of the same seeds, for something beside the world; another for each number."""
        _, k, n = self.shape
        return type(self)([[*seed, number] for seed in self._seeds], (k, n))

    def normal(self) -> Float64:
        return np.stack([rng.standard_normal(self.shape[1:]) for rng in self._generators])

    def uniform(self) -> Float64:
        return np.stack([rng.random(self.shape[1:]) for rng in self._generators])

    def signs(self) -> Float64:
        return np.where(self.uniform() < 0.5, -1.0, 1.0)

    def poisson(self, mean: Float64) -> Float64:
        drawn = [rng.poisson(run) for rng, run in zip(self._generators, mean, strict=True)]
        return np.stack(drawn).astype(np.float64)

    def binomial(self, trials: Float64, chance: Float64) -> Float64:
        pairs = zip(self._generators, trials.astype(np.int64), chance, strict=True)
        return np.stack([rng.binomial(count, p) for rng, count, p in pairs]).astype(np.float64)

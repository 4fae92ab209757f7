"""Editors who push items."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Part
from streams.loopbench.shown import Shown


class Overrides(Part):
    """Items are pushed at random for some epochs: exogenous, no loop.

    Parameters
    ----------
    size : of the push, in units of the published score
    share : of the items that a push begins for in an epoch
    """

    def __init__(self, size: float = 1.0, share: float = 0.005, epochs: int = 5) -> None:
        self._size, self._share, self._epochs = size, share, epochs

    def begin(self, noise: SeededNoise) -> None:
        self._left = np.zeros(noise.shape)

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        begun = noise.uniform() < self._share
        self._left = np.where(begun, self._epochs, np.maximum(self._left - 1, 0))

    def boost(self) -> Float64:
        return np.where(self._left > 0, self._size, 0.0)


class LearnedOverrides(Part):
    """Editors push what sells best just now, and the next model takes the push for taste.

    Parameters
    ----------
    size : of the push
    share : of the items that are pushed
    learned : part of the push that training takes over in an epoch
    """

    feature = "editorial_prior"

    def __init__(self, size: float = 1.0, share: float = 0.2, learned: float = 0.2) -> None:
        self._size, self._share, self._learned = size, share, learned

    def begin(self, noise: SeededNoise) -> None:
        self._push: Float64 = np.zeros(noise.shape)
        self._prior: Float64 = np.zeros(noise.shape)

    def boost(self) -> Float64:
        return self._push

    def contribution(self) -> Float64:
        return self._prior

    def observe(self, shown: Shown) -> None:
        least = np.quantile(shown.clicks, 1 - self._share, axis=-1, keepdims=True)
        self._push = np.where(shown.clicks > least, self._size, 0.0)
        self._prior = (1 - self._learned) * self._prior + self._learned * self._push

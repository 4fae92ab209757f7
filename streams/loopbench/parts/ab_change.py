"""A change of the ranker in the middle of everything."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Part


class AbChange(Part):
    """From one epoch on, another weight for something that items differ in.

    Parameters
    ----------
    size : standard deviation of the change over items
    at : epoch
    """

    feature = "arm"

    def __init__(self, size: float = 0.3, at: int = 20) -> None:
        self._size, self._at = size, at

    def begin(self, noise: SeededNoise) -> None:
        self._pattern = self._size * noise.normal()
        self._value = np.zeros(noise.shape)

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        self._value = self._pattern if epoch >= self._at else 0.0 * self._pattern

    def contribution(self) -> Float64:
        return self._value

"""A few items that everybody wants for a while."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Part


class Viral(Part):
    """From time to time some items jump, and fade.

    Parameters
    ----------
    size : of the jump in score units
    items : share of the items that it takes
    every : epochs between two
    """

    feature = "buzz"

    def __init__(self, size: float = 2.0, items: float = 0.02, every: int = 10) -> None:
        self._size, self._items, self._every = size, items, every

    def begin(self, noise: SeededNoise) -> None:
        self._buzz = np.zeros(noise.shape)

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        self._buzz = 0.8 * self._buzz
        if epoch % self._every == 5:
            self._buzz = self._buzz + self._size * (noise.uniform() < self._items)

    def contribution(self) -> Float64:
        return self._buzz

    def appetite(self, published: Float64) -> Float64:
        return 0.3 * self._buzz

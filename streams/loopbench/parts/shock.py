"""News that move whole categories, in every model at once."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Part


class CommonShock(Part):
    """In each epoch all items, and each category, move together, the same in all models.

    Parameters
    ----------
    size : standard deviation in score units
    categories : number of them
    """

    feature = "news"

    def __init__(self, size: float = 0.3, categories: int = 10) -> None:
        self._size, self._categories = size, categories

    def begin(self, noise: SeededNoise) -> None:
        n = noise.shape[-1]
        self._category = np.arange(n) % self._categories
        self._level = np.zeros(noise.shape)

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        news = noise.normal()[:, :1, : self._categories + 1]
        moved = news[..., 0:1] + news[..., 1 + self._category]
        self._level = 0.8 * self._level + self._size * moved

    def contribution(self) -> Float64:
        return self._level

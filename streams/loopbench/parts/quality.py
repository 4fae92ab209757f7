"""How good items are, and how that drifts."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Mask, Part


class Quality(Part):
    """An Ornstein-Uhlenbeck walk for each item: scored by the ranker, and felt by users.

    Parameters
    ----------
    spread : standard deviation between items at the beginning
    walk, reversion : of an epoch; 0 leaves quality as it is
    appeal : change of the logarithm of the click rate per unit of quality
    """

    feature = "quality"

    def __init__(
        self, spread: float = 0.5, walk: float = 0.0, reversion: float = 0.0, appeal: float = 0.3
    ) -> None:
        self._spread, self._walk, self._reversion, self._appeal = spread, walk, reversion, appeal

    def begin(self, noise: SeededNoise) -> None:
        self.quality = self._spread * noise.normal()

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        if self._walk:
            self.quality = self.quality * (1 - self._reversion) + self._walk * noise.normal()

    def replace(self, fresh: Mask, noise: SeededNoise) -> None:
        self.quality = np.where(fresh, self._spread * noise.normal(), self.quality)

    def contribution(self) -> Float64:
        return self.quality

    def appetite(self, published: Float64) -> Float64:
        return self._appeal * self.quality

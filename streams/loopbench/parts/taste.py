"""Users who become what they are shown, or tire of it."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Mask, Part
from streams.loopbench.shown import Shown


class Taste(Part):
    """Exposure changes how much an item is liked.

    Parameters
    ----------
    pull : change of the log click rate per doubling of exposure over the mean; fatigue is below 0
    memory : what is left of it after an epoch
    """

    def __init__(self, pull: float = 0.3, memory: float = 0.7) -> None:
        self._pull, self._memory = pull, memory

    def begin(self, noise: SeededNoise) -> None:
        self._liking = np.zeros(noise.shape)

    def replace(self, fresh: Mask, noise: SeededNoise) -> None:
        self._liking = np.where(fresh, 0.0, self._liking)

    def appetite(self, published: Float64) -> Float64:
        return self._liking

    def observe(self, shown: Shown) -> None:
        mean = shown.exposures.mean(axis=-1, keepdims=True)
        relative = np.clip(np.log2((shown.exposures + 1) / (mean + 1)), -3.0, 3.0)
        self._liking = self._memory * self._liking + (1 - self._memory) * self._pull * relative

"""What a model learns from its own exposures."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Mask, Part
from streams.loopbench.shown import Shown


class ClickRate(Part):
    """gain · log of an item's click rate as estimated from decayed counts, relative to what it starts from.

    Parameters
    ----------
    gain : score units per unit of the logarithm
    memory : what is left of an observation after an epoch
    prior, strength : the rate that it starts from, and the exposures that this is worth
    retrained_every : epochs between two retrainings; the score knows nothing new in between
    """

    feature = "click_rate"

    def __init__(
        self,
        gain: float,
        memory: float = 0.8,
        prior: float = 0.1,
        strength: float = 10.0,
        retrained_every: int = 1,
    ) -> None:
        self._gain, self._memory, self._prior, self._strength = gain, memory, prior, strength
        self._every = retrained_every
        self._epoch = 0

    def begin(self, noise: SeededNoise) -> None:
        self._clicks = self._exposures = self._value = np.zeros(noise.shape)

    def replace(self, fresh: Mask, noise: SeededNoise) -> None:
        self._clicks = np.where(fresh, 0.0, self._clicks)
        self._exposures = np.where(fresh, 0.0, self._exposures)
        self._value = np.where(fresh, 0.0, self._value)

    def contribution(self) -> Float64:
        return self._value

    def observe(self, shown: Shown) -> None:
        self._clicks = self._memory * self._clicks + shown.clicks
        self._exposures = self._memory * self._exposures + shown.exposures
        self._epoch += 1
        if self._epoch % self._every == 0:
            rate = (self._clicks + self._prior * self._strength) / (self._exposures + self._strength)
            self._value = self._gain * np.log(rate / self._prior)

"""Day and night."""

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Part


class Season(Part):
    """Each item has a cycle of its own, and so has traffic.

    Parameters
    ----------
    size : amplitude of an item's cycle, in score units
    period : epochs
    """

    feature = "time_of_day"

    def __init__(self, size: float = 0.3, period: int = 24) -> None:
        self._size, self._period = size, period
        self._epoch = 0

    def begin(self, noise: SeededNoise) -> None:
        self._phase = 2 * np.pi * noise.uniform()

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        self._epoch = epoch

    def contribution(self) -> Float64:
        cycle: Float64 = self._size * np.sin(2 * np.pi * self._epoch / self._period + self._phase)
        return cycle

    def traffic(self) -> float:
        return 1 + 0.5 * float(np.sin(2 * np.pi * self._epoch / self._period))

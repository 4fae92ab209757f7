"""Interest that comes and goes for reasons of its own."""

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Part


class Trend(Part):
    """Each item moves along a slope that itself drifts, and is pulled back slowly.

    Parameters
    ----------
    slope : standard deviation of the slopes, in score units an epoch
    """

    feature = "trend"

    def __init__(self, slope: float = 0.05) -> None:
        self._sd = slope

    def begin(self, noise: SeededNoise) -> None:
        self._slope = self._sd * noise.normal()
        self._level = 0.0 * self._slope

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        self._slope = 0.9 * self._slope + 0.4 * self._sd * noise.normal()
        self._level = 0.97 * self._level + self._slope

    def contribution(self) -> Float64:
        return self._level

    def appetite(self, published: Float64) -> Float64:
        return 0.3 * self._level

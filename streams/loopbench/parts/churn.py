"""Items that go, and new ones in their place."""

from streams.loopbench.noise import SeededNoise
from streams.loopbench.parts.base import Mask, Part


class Churn(Part):
    """A share of the catalogue is replaced in each epoch, whatever was shown."""

    def __init__(self, share: float = 0.02) -> None:
        self._share = share

    def churn(self, noise: SeededNoise) -> Mask:
        return noise.uniform() < self._share

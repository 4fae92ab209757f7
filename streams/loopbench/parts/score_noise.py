"""Whatever else moves a score from epoch to epoch."""

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Part


class ScoreNoise(Part):
    """White noise: the mix of users, features that nobody thinks of."""

    feature = "other"

    def __init__(self, sd: float = 0.1, unlogged: bool = False) -> None:
        self._sd = sd
        self.unlogged = unlogged

    def begin(self, noise: SeededNoise) -> None:
        self.advance(0, noise)

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        self._value = self._sd * noise.normal()

    def contribution(self) -> Float64:
        return self._value

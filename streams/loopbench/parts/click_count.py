"""The loop that every popularity feature is."""

from collections.abc import Sequence

import numpy as np

from streams.loopbench.noise import Float64, SeededNoise
from streams.loopbench.parts.base import Mask, Part
from streams.loopbench.shown import Shown


class ClickCount(Part):
    """gain · standardised log(1 + decayed clicks) of each item.

    Parameters
    ----------
    gain : score units per standard deviation; one number, or one for each of the k subjects
    memory : what is left of a click after an epoch
    delay : epochs from a click to the first score that knows it
    reads : (k, k) whose clicks (column) are counted by whom (row); each its own by default
    unlogged : whether the log of contributions does not show it
    """

    feature = "click_count"

    def __init__(
        self,
        gain: float | Sequence[float],
        memory: float = 0.7,
        delay: int = 1,
        reads: Sequence[Sequence[float]] | None = None,
        unlogged: bool = False,
    ) -> None:
        self.unlogged = unlogged
        self._gain = np.atleast_1d(np.asarray(gain, np.float64))[:, None]
        self._memory = memory
        self._delay = delay
        self._reads = None if reads is None else np.asarray(reads, np.float64)

    def begin(self, noise: SeededNoise) -> None:
        self._count = np.zeros(noise.shape)
        self._coming: list[Float64] = [self._count] * (self._delay - 1)

    def replace(self, fresh: Mask, noise: SeededNoise) -> None:
        self._count = np.where(fresh, 0.0, self._count)
        self._coming = [np.where(fresh, 0.0, clicks) for clicks in self._coming]

    def contribution(self) -> Float64:
        level = np.log1p(self._count)
        spread = level.std(axis=-1, keepdims=True)
        standard = (level - level.mean(axis=-1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        contribution: Float64 = self._gain * standard
        return contribution

    def observe(self, shown: Shown) -> None:
        clicks = shown.clicks if self._reads is None else self._reads @ shown.clicks
        now, *self._coming = [*self._coming, clicks]
        self._count = self._memory * self._count + now

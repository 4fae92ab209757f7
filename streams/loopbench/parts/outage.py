"""A log that loses events for some epochs and brings them late."""

import numpy as np

from streams.loopbench.noise import SeededNoise
from streams.loopbench.parts.base import Part
from streams.loopbench.shown import Shown


class Outage(Part):
    """Half of the partitions lose most of their events; what was lost arrives two epochs later.

    Parameters
    ----------
    lost : share of the events
    epochs : in which that happens
    """

    def __init__(self, lost: float = 0.7, epochs: tuple[int, ...] = (15, 16, 17, 18, 27, 28)) -> None:
        self._lost, self._epochs = lost, epochs
        self._epoch = 0

    def begin(self, noise: SeededNoise) -> None:
        self._hit = noise.uniform() < 0.5
        nothing = np.zeros(noise.shape)
        self._late = [(nothing, nothing)] * 2

    def advance(self, epoch: int, noise: SeededNoise) -> None:
        self._epoch = epoch

    def logged(self, shown: Shown) -> Shown:
        share = self._lost * (self._hit if self._epoch in self._epochs else np.zeros_like(self._hit))
        exposures, clicks = np.floor(shown.exposures * share), np.floor(shown.clicks * share)
        late = self._late[0]
        self._late = [self._late[1], (exposures, clicks)]
        return Shown(shown.published, shown.exposures - exposures + late[0], shown.clicks - clicks + late[1])

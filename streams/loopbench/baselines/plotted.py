"""What passive monitors look at: one number of an epoch, as on a dashboard."""

from collections.abc import Callable
from typing import Any, Protocol

from streams.feedback.cells import EpochCells, Mask
from streams.feedback.concentration_measures import gini
from streams.feedback.evidence.betting import Float64

Plot = Callable[[Any], Float64]
"""Observation of an epoch -> (runs,) the number."""


class Monitor(Protocol):
    """Watches one number, (runs,) side by side."""

    name: str

    def update(self, value: Float64) -> None: ...

    def alarmed(self) -> Mask: ...


class Plotted:
    """A monitor of a number that is read off each observation."""

    def __init__(self, monitor: Monitor, plot: Plot) -> None:
        self.name = monitor.name
        self._monitor = monitor
        self._plot = plot

    def update(self, observation: Any) -> None:
        """Take in the next epoch."""
        self._monitor.update(self._plot(observation))

    def alarmed(self) -> Mask:
        """(runs,) whether it alarms now."""
        return self._monitor.alarmed()


def gini_of(cells: EpochCells) -> Float64:
    """(runs,) concentration of the exposure of all subjects together."""
    return gini(cells.exposures.sum(axis=-2))

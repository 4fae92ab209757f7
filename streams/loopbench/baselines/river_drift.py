"""Drift detectors of `river` over a number that people plot, such as the Gini coefficient of exposure.

Their defaults are for streams of single values. Here a value is a whole epoch, of which there are tens:
windows are shortened to that, and values standardised by the first epochs, so that thresholds have their
usual meaning.
"""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from river import drift

from streams.feedback.cells import Mask
from streams.feedback.evidence.betting import Float64
from streams.loopbench.baselines.gini_trend import FIRST_LOOK


class Drift(Protocol):
    """What all of river's drift detectors have."""

    @property
    def drift_detected(self) -> bool: ...

    def update(self, x: float) -> None: ...


class RiverDrift:
    """One detector for each run; the first ten epochs are its idea of normal."""

    def __init__(self, name: str, make: Callable[[], Drift]) -> None:
        self.name = name
        self._make = make
        self._first: list[Float64] = []
        self._detectors: list[Drift] = []

    def update(self, value: Float64) -> None:
        """Take in the next epoch's number, (runs,)."""
        if len(self._first) < FIRST_LOOK:
            self._first.append(value)
            self._detectors = self._detectors or [self._make() for _ in value]
            return
        normal = np.stack(self._first)
        standard = (value - normal.mean(axis=0)) / np.maximum(normal.std(axis=0), 1e-12)
        for detector, each in zip(self._detectors, standard.tolist(), strict=True):
            detector.update(each)

    def alarmed(self) -> Mask:
        """(runs,) whether drift is detected now."""
        return np.array([detector.drift_detected for detector in self._detectors])


def adwin() -> RiverDrift:
    """Bifet and Gavaldà 2007."""
    return RiverDrift("adwin", lambda: drift.ADWIN(clock=1, grace_period=5, min_window_length=3))  # type: ignore[no-untyped-call]


def page_hinkley() -> RiverDrift:
    """Page 1954."""
    return RiverDrift("page_hinkley", lambda: drift.PageHinkley(min_instances=5))


def kswin() -> RiverDrift:
    """Raab, Heusinger and Schleif 2020."""
    return RiverDrift("kswin", lambda: drift.KSWIN(alpha=0.005, window_size=20, stat_size=7, seed=0))

"""Everybody else on the board: baselines, and detectors that know nothing."""

from collections.abc import Sequence

import numpy as np

from streams.feedback.cells import EpochCells, Mask
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.null import NullDetector, RandomDetector
from streams.loopbench.baselines import all_baselines
from streams.loopbench.campaign import Contender
from streams.loopbench.worlds.catalogue import WorldSpec

_COINS = 20_260_101


class Reference:
    """A detector of ours that is no member of the board, with the threshold of the others."""

    def __init__(self, detector: NullDetector | RandomDetector) -> None:
        self.name = detector.name
        self._detector = detector

    def update(self, cells: EpochCells) -> None:
        """Take in the next epoch."""
        self._detector.update(cells)

    def alarmed(self) -> Mask:
        """(runs,) whether it has enough evidence for a page now."""
        return np.asarray(self._detector.log_evidence() >= AlarmBudget().log_page)


def everybody(spec: WorldSpec) -> Sequence[Contender]:
    """The null and the random detector, and the baselines."""
    random = RandomDetector(spec.subjects, _COINS)
    return (Reference(NullDetector()), Reference(random), *all_baselines(spec))

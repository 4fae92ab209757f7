"""Everybody else on the board: baselines, and detectors that know nothing."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from streams.feedback.cells import Mask
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.null import NullDetector, RandomDetector
from streams.loopbench.alarms import Contender
from streams.loopbench.baselines import all_baselines
from streams.loopbench.experiments import EXPERIMENTS
from streams.loopbench.worlds.catalogue import WORLDS

_COINS = 20_260_101


class Reference:
    """A detector of ours that is no member of the board, with the threshold of the others."""

    def __init__(self, detector: NullDetector | RandomDetector) -> None:
        self.name = detector.name
        self._detector = detector

    def update(self, observation: Any) -> None:
        """Take in the next epoch."""
        self._detector.update(observation)

    def alarmed(self) -> Mask:
        """(runs,) whether it has enough evidence for a page now."""
        return np.asarray(self._detector.log_evidence() >= AlarmBudget().log_page)


def everybody(world: str) -> Sequence[Contender]:
    """The null detector, and whoever has an input in this world.

    Where nobody is nudged there are no coins for the random detector to replace, nothing for a regression on
    nudges or a checkerboard of them, and no scores for PSI.
    """
    null = Reference(NullDetector())
    if world in EXPERIMENTS:
        return (null, *EXPERIMENTS[world].baselines())
    return (null, Reference(RandomDetector(WORLDS[world].subjects, _COINS)), *all_baselines())

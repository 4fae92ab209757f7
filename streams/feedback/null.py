"""Detectors that know nothing: what the others are held against."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from streams.feedback.base import State, Verdict, VerdictKind
from streams.feedback.cells import EpochCells
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.total_score import raw_score
from streams.feedback.watched import Watched


class NullDetector:
    """Never sees anything: it has no false alarm, and no power."""

    name = "null"

    def __init__(self, budget: AlarmBudget | None = None) -> None:
        self.budget = budget or AlarmBudget()

    def reset(self) -> None:
        """Nothing is known that could be forgotten."""

    def update(self, observation: object) -> None:
        """Ignore it, whatever it is."""

    def log_evidence(self) -> Float64:
        """() 0, of however many runs."""
        return np.zeros(())

    def verdict(self, now_ms: int) -> Verdict:
        return Verdict(VerdictKind.QUIET, self.name, 0.0, self.budget.ticket, self.budget.page, now_ms)

    def state(self) -> State:
        return {}

    def restore(self, state: State) -> None:
        self.reset()


class RandomDetector(NudgeDetector):
    """D1-R that bets on coins of its own instead of those that were logged: alarms 1/W of the time at most.

    Parameters
    ----------
    subjects : names of the k models or slices
    seed : of its coins; an epoch's coins depend on nothing else
    """

    def __init__(self, subjects: Sequence[str], seed: int, budget: AlarmBudget | None = None) -> None:
        super().__init__("random", Watched(tuple(subjects), ("raw_score",)), raw_score, budget)
        self._seed = seed

    def update(self, cells: EpochCells) -> None:
        """Take in the next epoch, with other nudges."""
        coins = np.random.default_rng((self._seed, cells.epoch)).random(cells.nudge.shape)
        super().update(replace(cells, nudge=np.where(coins < 0.5, -1.0, 1.0) * np.abs(cells.nudge)))

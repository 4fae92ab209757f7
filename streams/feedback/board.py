"""All detectors of scores on one board, their evidence fused by averaging."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.feedback.base import State, Verdict, VerdictKind
from streams.feedback.cells import EpochCells
from streams.feedback.cross_model import CrossModel
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64, log_mean_exp
from streams.feedback.feature_path import feature_path
from streams.feedback.gain import GainPlan
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.total_score import total_score

NAME = "board"
_PEAK = "peak"


class Board:
    """The mean of several detectors' W is a W itself: one alarm, whoever saw it.

    Parameters
    ----------
    detectors : that see the same cells, with names of their own
    budget : of false alarms
    """

    name = NAME

    def __init__(self, detectors: Sequence[NudgeDetector], budget: AlarmBudget | None = None) -> None:
        self.detectors = tuple(detectors)
        self.budget = budget or AlarmBudget()
        self.reset()

    def reset(self) -> None:
        """Forget everything: evidence, histories, alarms."""
        self._peak: Float64 = np.zeros(())
        for detector in self.detectors:
            detector.reset()

    def update(self, cells: EpochCells) -> None:
        """Take in the next epoch.

        Raises
        ------
        ValueError
            When the epoch is not after the last one, or does not have what the detectors watch.
        """
        for detector in self.detectors:
            detector.update(cells)
        self._peak = np.maximum(self._peak, self.log_evidence())

    def log_evidence(self) -> Float64:
        """(*runs,) logarithm of the mean of all W now."""
        return log_mean_exp(np.stack([detector.log_evidence() for detector in self.detectors]), axis=0)

    def kinds(self) -> NDArray[np.str_]:
        """(*runs,) verdicts; where no detector has an opinion yet, theirs."""
        members = np.stack([detector.kinds() for detector in self.detectors])
        idle = (members == VerdictKind.BLIND) | (members == VerdictKind.WARMING_UP)
        conditions = (
            (members == VerdictKind.BLIND).any(axis=0) & idle.all(axis=0),
            self._peak >= self.budget.log_page,
            self._peak >= self.budget.log_ticket,
            idle.all(axis=0),
        )
        kinds = (VerdictKind.BLIND, VerdictKind.LOOP_DETECTED, VerdictKind.WARNING, VerdictKind.WARMING_UP)
        return np.select(conditions, kinds, VerdictKind.QUIET)

    def verdict(self, now_ms: int) -> Verdict:
        """The fused verdict: the evidence of the detector that has most, and what the others point to."""
        members = [detector.verdict(now_ms) for detector in self.detectors]
        leading = max(members, key=lambda member: member.statistic)
        others = {
            member.detector: {"value": member.evidence.get("value"), "statistic": member.statistic}
            for member in members
            if member is not leading and member.evidence
        }
        kind = self.kinds() if leading.evidence else VerdictKind.WARMING_UP
        return Verdict(
            kind=VerdictKind(str(kind)),
            detector=self.name,
            statistic=float(self._peak),
            ticket=self.budget.ticket,
            page=self.budget.page,
            now_ms=now_ms,
            beta=leading.beta,
            gain=leading.gain,
            evidence={"found_by": leading.detector, **leading.evidence, "others": others},
            reason=leading.reason,
        )

    def state(self) -> State:
        """The states of its detectors, under their names."""
        states = {
            f"{detector.name}/{path}": value
            for detector in self.detectors
            for path, value in detector.state().items()
        }
        return {_PEAK: self._peak, **states}

    def restore(self, state: State) -> None:
        """Go on where the board that gave ``state`` was.

        Raises
        ------
        ValueError
            When a part of the state is absent.
        """
        if _PEAK not in state:
            raise ValueError(f"{_PEAK}: absent from the state")
        self._peak = np.array(state[_PEAK], np.float64)
        for detector in self.detectors:
            detector.restore(_below(state, f"{detector.name}/"))


def score_board(
    models: Sequence[str],
    features: Sequence[str],
    allowed_gain: Mapping[str, float] | None = None,
    budget: AlarmBudget | None = None,
    gain_lags: int = 0,
) -> Board:
    """D1-F and D1-R, and D2 where there are several models."""
    gain_plan = GainPlan(gain_lags) if gain_lags else None
    detectors: list[NudgeDetector] = [
        feature_path(models, features, allowed_gain, budget, gain_plan),
        total_score(models, budget, gain_plan),
    ]
    if len(models) > 1:
        detectors.append(CrossModel(models, budget))
    return Board(detectors, budget)


def _below(state: State, prefix: str) -> State:
    return {path.removeprefix(prefix): value for path, value in state.items() if path.startswith(prefix)}

"""D1-R: does the total score answer to nudges? For paths that no logged feature shows."""

from collections.abc import Sequence

from streams.feedback.cells import EpochCells
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.gain import GainPlan
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.watched import Watched

NAME = "total_score"


def total_score(
    subjects: Sequence[str],
    budget: AlarmBudget | None = None,
    gain_plan: GainPlan | None = None,
) -> NudgeDetector:
    """The detector over the raw scores of ``subjects``, models or slices."""
    return NudgeDetector(NAME, Watched(tuple(subjects), ("raw_score",)), raw_score, budget, gain_plan)


def raw_score(cells: EpochCells) -> Float64:
    """(*runs, k, 1, n) the score as the one value that is watched."""
    return cells.raw_score[..., None, :]

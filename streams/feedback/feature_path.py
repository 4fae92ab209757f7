"""D1-F: which feature's contribution to the score answers to nudges?

The service can score again, so each feature's contribution is known by itself: the noise of all others
vanishes. It sees gains far too small to matter; `allowed_gain` says from where a declared path counts.
"""

from collections.abc import Mapping, Sequence

from streams.feedback.cells import EpochCells
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.watched import Watched

NAME = "feature_path"


def feature_path(
    subjects: Sequence[str],
    features: Sequence[str],
    allowed_gain: Mapping[str, float] | None = None,
    budget: AlarmBudget | None = None,
) -> NudgeDetector:
    """The detector over the contributions of ``features`` to the scores of ``subjects``."""
    watched = Watched(tuple(subjects), tuple(features), dict(allowed_gain or {}))
    return NudgeDetector(NAME, watched, _contributions, budget)


def _contributions(cells: EpochCells) -> Float64:
    return cells.contributions

"""D1-F: which feature's contribution to the score answers to nudges?

The service can score again, so each feature's contribution is known by itself: the noise of all others
vanishes. It sees gains far too small to matter; `allowed_gain` says from where a declared path counts. What
is left of the score when all logged contributions are taken away is watched like a feature: paths that are
not logged end there.
"""

from collections.abc import Mapping, Sequence
from math import inf

import numpy as np

from streams.feedback.cells import EpochCells
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.gain import GainPlan
from streams.feedback.nudge_detector import NudgeDetector
from streams.feedback.watched import Watched

NAME = "feature_path"
UNEXPLAINED = "unexplained"
"""The value that is no feature: raw score minus all contributions."""

_ROUNDING = 1e-9


def feature_path(
    subjects: Sequence[str],
    features: Sequence[str],
    allowed_gain: Mapping[str, float] | None = None,
    budget: AlarmBudget | None = None,
    gain_plan: GainPlan | None = None,
    *,
    allowed_damping: float = inf,
    allowed_long_run: float = inf,
) -> NudgeDetector:
    """The detector over the contributions of ``features`` to the scores of ``subjects``, see `Watched`."""
    values = (*features, UNEXPLAINED)
    watched = Watched(tuple(subjects), values, dict(allowed_gain or {}), allowed_damping, allowed_long_run)
    return NudgeDetector(NAME, watched, _contributions, budget, gain_plan)


def _contributions(cells: EpochCells) -> Float64:
    rest = cells.raw_score - cells.contributions.sum(axis=-2)
    size = np.abs(cells.raw_score) + np.abs(cells.contributions).sum(axis=-2)
    unexplained = np.where(np.abs(rest) <= _ROUNDING * size, 0.0, rest)
    return np.concatenate([cells.contributions, unexplained[..., None, :]], axis=-2)

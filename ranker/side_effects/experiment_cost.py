"""What experiments cost: the value that answers would have had without them, by the model's own scores."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from ranker.pipeline.arms import NO_ARMS
from ranker.pipeline.batch import Float64, Index
from ranker.pipeline.components import Selector
from ranker.pipeline.scoring import LOWEST
from ranker.side_effects.answer import Answer

Spent = Callable[[str, float, int], None]
"""(experiment, share of the expected value that it costs by now, answers measured that it could cost any)"""

_MEASURE_EVERY = 8
_REMEMBERED = 1_000.0


class RunningCost:
    """Share of a sum that is lost, over about the last ``remembered`` answers measured."""

    def __init__(self, remembered: float = _REMEMBERED) -> None:
        self._kept = 1.0 - 1.0 / remembered
        self._lost = 0.0
        self._whole = 0.0
        self.measured = 0

    def add(self, best: float, shown: float) -> None:
        """One answer worth ``shown`` that could have been worth ``best``."""
        self._lost = self._lost * self._kept + (best - shown)
        self._whole = self._whole * self._kept + abs(best)
        self.measured += 1

    @property
    def share(self) -> float:
        """Lost so far, of the whole; 0 before the first."""
        return self._lost / self._whole if self._whole else 0.0


class ExperimentCost:
    """Ranks some answers again without the experiments: off the request's path.

    Parameters
    ----------
    selectors : surface -> its selector
    default : that of every other surface
    spent : told after each answer measured
    nudges, exploration : their names
    """

    name = "experiment_cost"

    def __init__(
        self,
        selectors: Mapping[str, Selector],
        default: Selector,
        spent: Spent,
        *,
        nudges: str,
        exploration: str,
    ) -> None:
        self._selectors = dict(selectors)
        self._default = default
        self._spent = spent
        self._names = nudges, exploration
        self._costs = {nudges: RunningCost(), exploration: RunningCost()}
        self._touched = 0

    def apply(self, answers: Sequence[Answer]) -> None:
        """Measure every eighth of the answers that a model scored and an experiment touched."""
        for answer in answers:
            arms = answer.query.arms
            if (arms.nudge_epoch is None and arms.exploration is None) or not has_worth(answer):
                continue
            self._touched += 1
            if self._touched % _MEASURE_EVERY == 0:
                self._measure(answer)

    def _measure(self, answer: Answer) -> None:
        raw, slate = answer.outcome.scores.raw, answer.outcome.slate
        selector = self._selectors.get(answer.query.surface, self._default)
        best, nudged = (
            slate_of(selector, answer, scores) for scores in (raw, answer.outcome.scores.published)
        )
        worth = [float(np.sum(raw[order])) for order in (best, nudged, slate.order)]
        for name, (before, after) in zip(self._names, pairwise(worth), strict=True):
            self._costs[name].add(before, after)
            self._spent(name, self._costs[name].share, self._costs[name].measured)


def has_worth(answer: Answer) -> bool:
    """Whether every score is a model's: others say where a candidate goes, and not what it is worth."""
    scores = answer.outcome.scores
    return bool(scores.heads) and bool((scores.raw > LOWEST).all())


def slate_of(selector: Selector, answer: Answer, scores: Float64) -> Index:
    """The slate that these scores alone would have given."""
    query = replace(answer.query, arms=NO_ARMS)
    return selector.select(query, answer.outcome.batch, scores).order

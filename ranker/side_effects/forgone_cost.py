"""What it costs that answers are not by another version, by that version's own scores."""

from collections.abc import Callable, Mapping, Sequence
from math import inf

import numpy as np

from ranker.pipeline.batch import Heads
from ranker.pipeline.components import Surface
from ranker.pipeline.features import Features
from ranker.registry.models import ServedModel
from ranker.side_effects.answer import Answer
from ranker.side_effects.experiment_cost import RunningCost, Spent, has_worth, slate_of

Ask = Callable[[ServedModel, Features], Heads]
"""Heads of a version that did not answer; raises what the inference client raises."""

Forgone = Callable[[Answer], ServedModel | None]
"""The version that would have answered without the experiment; None: the one that did."""

_MEASURE_EVERY = 8


class ForgoneCost:
    """Has the version that would have answered score some answers again: off the request's path.

    Most answers cost nothing, and some much, so the share is of all since the ranker began.

    Parameters
    ----------
    experiment : its name; answers that do not log it are no part of the figure
    surfaces : by name
    default : for every other name
    spent : told after each answer measured
    told_after_ms : from the first answer measured on, by when answers of each kind were seen
    paused : whether what is forgone now is not the experiment's doing, as while a hold makes versions wait: a
        budget that stopped the experiment would release what is held
    """

    def __init__(
        self,
        experiment: str,
        forgone: Forgone,
        ask: Ask,
        surfaces: Mapping[str, Surface],
        default: Surface,
        spent: Spent,
        *,
        told_after_ms: int,
        paused: Callable[[], bool],
    ) -> None:
        self.name = f"{experiment}_cost"
        self._experiment = experiment
        self._forgone = forgone
        self._ask = ask
        self._surfaces = dict(surfaces)
        self._default = default
        self._spent = spent
        self._told_after_ms = told_after_ms
        self._paused = paused
        self._cost = RunningCost(remembered=inf)
        self._answers = 0
        self._forgone_measured = 0
        self._told_from_ms: int | None = None

    def apply(self, answers: Sequence[Answer]) -> None:
        """Measure every eighth of the answers that a model scored and another version could have."""
        if self._paused():
            return
        for answer in answers:
            if self._experiment not in answer.query.arms.assignments or not has_worth(answer):
                continue
            self._answers += 1
            if self._answers % _MEASURE_EVERY == 0:
                self._measure(answer)

    def _measure(self, answer: Answer) -> None:
        forgone, present = self._forgone(answer), answer.outcome.scores.raw
        if forgone is None:
            worth = float(present[answer.outcome.slate.order].sum())
            self._cost.add(worth, worth)
        else:
            surface = self._surfaces.get(answer.query.surface, self._default)
            raw = surface.value.value(self._ask(forgone, answer.outcome.features))
            if not np.isfinite(raw).all():
                return
            best, shown = (slate_of(surface.selector, answer, scores) for scores in (raw, present))
            self._cost.add(float(raw[best].sum()), float(raw[shown].sum()))
            self._forgone_measured += 1
        if self._told_from_ms is None:
            self._told_from_ms = answer.served_time_ms + self._told_after_ms
        if answer.served_time_ms >= self._told_from_ms:
            self._spent(self._experiment, self._cost.share, self._forgone_measured)

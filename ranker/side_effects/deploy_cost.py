"""What it costs that a new version waits for its moment, by that version's own scores."""

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
"""Heads of a version that is not served; raises what the inference client raises."""

_MEASURE_EVERY = 8


class DeployCost:
    """Has the version that waits score some answers again: off the request's path.

    An answer costs nothing while none waits, so the share is told once a whole period has been seen. Nothing
    is measured or told while a hold makes it wait: that is no experiment, and a budget that stopped it would
    release what is held.

    Parameters
    ----------
    waiting : the version that is promoted and not served yet; None: there is none
    held : whether training and promotion are held
    surfaces : by name
    default : for every other name
    period_ms : of the deploy calendar
    experiment : its name
    spent : told after each answer measured
    """

    name = "deploy_cost"

    def __init__(
        self,
        waiting: Callable[[], ServedModel | None],
        ask: Ask,
        surfaces: Mapping[str, Surface],
        default: Surface,
        spent: Spent,
        *,
        held: Callable[[], bool],
        period_ms: int,
        experiment: str,
    ) -> None:
        self._waiting = waiting
        self._ask = ask
        self._surfaces = dict(surfaces)
        self._default = default
        self._spent = spent
        self._held = held
        self._period_ms = period_ms
        self._experiment = experiment
        self._cost = RunningCost(remembered=inf)
        self._answers = 0
        self._told_from_ms: int | None = None

    def apply(self, answers: Sequence[Answer]) -> None:
        """Measure every eighth of the answers that a model scored and another version could have."""
        if self._held():
            return
        for answer in answers:
            if self._experiment not in answer.query.arms.assignments or not has_worth(answer):
                continue
            self._answers += 1
            if self._answers % _MEASURE_EVERY == 0:
                self._measure(answer)

    def _measure(self, answer: Answer) -> None:
        waiting, present = self._waiting(), answer.outcome.scores.raw
        surface = self._surfaces.get(answer.query.surface, self._default)
        raw = present if waiting is None else surface.value.value(self._ask(waiting, answer.outcome.features))
        if not np.isfinite(raw).all():
            return
        best, shown = (slate_of(surface.selector, answer, scores) for scores in (raw, present))
        self._cost.add(float(raw[best].sum()), float(raw[shown].sum()))
        if self._told_from_ms is None:
            self._told_from_ms = answer.served_time_ms + self._period_ms
        if answer.served_time_ms >= self._told_from_ms:
            self._spent(self._experiment, self._cost.share)

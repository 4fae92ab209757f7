"""D3, D4 and D5 in worlds of their own: each needs an experiment other than the nudge.

Exploration, a holdout and jittered deploy times give other records than the cells of nudges: each of these
worlds is watched by one detector.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from streams.feedback.concentration import ConcentrationDetector
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.exploration import SelectionDetector
from streams.feedback.exploration_presentation import PresentationDetector
from streams.feedback.peak import Peak
from streams.feedback.retrain_echo import RetrainEchoDetector
from streams.loopbench.campaign import NEVER, Watch
from streams.loopbench.results import BoardRow, clopper_pearson
from streams.loopbench.worlds.popularity_arms import ArmsScale, ArmsWorld
from streams.loopbench.worlds.presentation import PresentationScale, presentation_rows
from streams.loopbench.worlds.retraining import RetrainScale, retrains
from streams.loopbench.worlds.selection import SelectionScale, SelectionWorld

_THINNING = 7


class _Evident(Protocol):
    """A detector that keeps the most evidence it had."""

    peak: Peak

    def update(self, observation: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Experiment:
    """A world and the detector that it is made for.

    Attributes
    ----------
    play : seeds -> steps until the detector reached its thresholds
    steps, events : that a run has; impressions or retrains in all
    strength : of the loop, in words
    target_power : promised; None: none
    """

    name: str
    detector: str
    loop: bool
    strength: str
    steps: int
    events: int
    play: Callable[[Sequence[int]], Watch]
    target_power: float | None = None


def experiment_row(experiment: Experiment, watch: Watch) -> BoardRow:
    """The figures of one experiment: alarms are pages (for D4, which never pages, tickets)."""
    alarms = watch.ticket if experiment.detector == ConcentrationDetector.name else watch.page
    steps = alarms[alarms != NEVER]
    low, high = clopper_pearson(len(steps), len(alarms))
    return BoardRow(
        world=experiment.name,
        loop=experiment.loop,
        beta=None,
        strength=experiment.strength,
        delta=None,
        events=experiment.events,
        detector=experiment.detector,
        seeds=len(alarms),
        alarms=len(steps),
        power=len(steps) / len(alarms),
        target_power=experiment.target_power,
        events_to_alarm_p50=_events(steps, experiment) if len(steps) else None,
        power_low=low,
        power_high=high,
        warnings=int((watch.ticket != NEVER).sum()),
    )


def _events(steps: NDArray[np.int64], experiment: Experiment) -> float:
    return float(np.median(steps)) * experiment.events / experiment.steps


def _selection(name: str, steps: int, scale: SelectionScale, **declared: Any) -> Experiment:
    def play(seeds: Sequence[int]) -> Watch:
        world = SelectionWorld(scale, seeds, loop=declared["loop"])
        detector = SelectionDetector(runs=(len(seeds),))
        return _watch([_after(detector, world.step()) for _ in range(steps)])

    events = round(steps * scale.events)
    return Experiment(
        name, detector=SelectionDetector.name, steps=steps, events=events, play=play, **declared
    )


def _arms(name: str, steps: int, scale: ArmsScale, **declared: Any) -> Experiment:
    def play(seeds: Sequence[int]) -> Watch:
        world = ArmsWorld(scale, seeds)
        detector = ConcentrationDetector(_THINNING, runs=(len(seeds),))
        return _watch([_after(detector, world.step()) for _ in range(steps)])

    events = round(steps * scale.events)
    return Experiment(
        name, detector=ConcentrationDetector.name, steps=steps, events=events, play=play, **declared
    )


def _presentation(name: str, steps: int, scale: PresentationScale, **declared: Any) -> Experiment:
    def run(seed: int) -> list[Float64]:
        detector = PresentationDetector()
        return [_after(detector, rows) for rows in presentation_rows(scale, seed, steps)]

    events = steps * scale.users * scale.slots
    return Experiment(
        name, detector=PresentationDetector.name, steps=steps, events=events, play=_each(run), **declared
    )


def _retraining(name: str, steps: int, scale: RetrainScale, **declared: Any) -> Experiment:
    def run(seed: int) -> list[Float64]:
        detector = RetrainEchoDetector(seed)
        return [_after(detector, retrain) for retrain in retrains(scale, seed, steps)]

    return Experiment(
        name, detector=RetrainEchoDetector.name, steps=steps, events=steps, play=_each(run), **declared
    )


def _each(run: Callable[[int], list[Float64]]) -> Callable[[Sequence[int]], Watch]:
    """Plays seed by seed."""
    return lambda seeds: _watch(np.stack([run(seed) for seed in seeds], axis=-1))


def _after(detector: _Evident, observation: object) -> Float64:
    """(*runs,) the most evidence that there was until now."""
    detector.update(observation)
    return detector.peak.highest


def _watch(highest: ArrayLike) -> Watch:
    """When (steps, runs) evidence reached the thresholds."""
    budget = AlarmBudget()
    return Watch(*(_first(np.asarray(highest) >= level) for level in (budget.log_ticket, budget.log_page)))


def _first(reached: NDArray[np.bool_]) -> NDArray[np.int64]:
    return np.where(reached.any(axis=0), reached.argmax(axis=0) + 1, NEVER)


_STRONG = "24 % of value lost, exploration {:.0f} %"

EXPERIMENTS = {
    experiment.name: experiment
    for experiment in (
        _selection(
            "selection_2_percent",
            120,
            SelectionScale(),
            loop=True,
            strength=_STRONG.format(2),
            target_power=0.95,
        ),
        _selection(
            "selection_5_percent",
            40,
            SelectionScale(exploration=0.05),
            loop=True,
            strength=_STRONG.format(5),
        ),
        _selection(
            "selection_random_training", 120, SelectionScale(), loop=False, strength="exploration 2 %"
        ),
        _presentation(
            "presentation_by_slot",
            40,
            PresentationScale(effect=0.1),
            loop=True,
            strength="clicked 10 % more where chosen, 5 % of slots explored",
        ),
        _presentation(
            "presentation_users_differ",
            40,
            PresentationScale(by_user=True),
            loop=False,
            strength="5 % of users explored",
        ),
        _arms("concentration_by_counts", 60, ArmsScale(), loop=True, strength="log count, weight 1"),
        _arms(
            "concentration_by_rates",
            60,
            ArmsScale(loop=0.0),
            loop=False,
            strength="tastes wander, both arms learn",
        ),
        _retraining("retrain_echo", 40, RetrainScale(), loop=True, strength="1 sd, 40 retrains"),
        _retraining(
            "retrain_echo_long", 80, RetrainScale(echo=0.5), loop=True, strength="0.5 sd, 80 retrains"
        ),
        _retraining("retrain_no_echo", 80, RetrainScale(echo=0.0), loop=False, strength="80 retrains"),
    )
}
"""By name."""

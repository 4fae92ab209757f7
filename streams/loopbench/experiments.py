"""D3, D4 and D5 in worlds of their own: each needs an experiment other than the nudge.

Exploration, a holdout and jittered deploy times give other records than the cells of nudges: each of these
worlds is watched by one detector.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from streams.feedback.concentration import ArmCells, ConcentrationDetector
from streams.feedback.concentration_measures import gini
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import Float64
from streams.feedback.exploration import SelectionDetector
from streams.feedback.exploration_cells import ExplorationCells
from streams.feedback.exploration_presentation import ExplorationRows, PresentationDetector
from streams.feedback.peak import Peak
from streams.feedback.retrain_echo import Retrain, RetrainEchoDetector
from streams.loopbench.alarms import Alarms, Contender, Rivals, Stopwatch, Watch
from streams.loopbench.baselines import of_concentration, of_number
from streams.loopbench.worlds.popularity_arms import ArmsScale, ArmsWorld
from streams.loopbench.worlds.presentation import PresentationScale, presentation_rows
from streams.loopbench.worlds.retraining import RetrainScale, retrains
from streams.loopbench.worlds.selection import SelectionScale, SelectionWorld

_THINNING = 7


class Play(Protocol):
    """Plays seeds of an experiment."""

    def __call__(self, seeds: Sequence[int], contenders: Sequence[Contender] = ()) -> Mapping[str, Watch]:
        """By detector, steps until it reached its thresholds: the experiment's own one, then contenders."""
        ...


class _Evident(Protocol):
    """A detector that keeps the most evidence it had."""

    name: str
    peak: Peak

    def update(self, observation: Any) -> None: ...


@dataclass(frozen=True, slots=True)
class Experiment:
    """A world and the detector that it is made for.

    Attributes
    ----------
    steps, events : that a run has; impressions or retrains in all
    strength : of the loop, in words
    baselines : fresh ones, those that have an input here
    target_power : promised; None: none
    """

    name: str
    detector: str
    loop: bool
    strength: str
    steps: int
    events: int
    play: Play
    baselines: Callable[[], Sequence[Contender]]
    target_power: float | None = None

    @property
    def pages(self) -> bool:
        """Whether the detector does; otherwise its tickets are what counts."""
        return self.detector != ConcentrationDetector.name


def _selection(name: str, steps: int, scale: SelectionScale, **declared: Any) -> Experiment:
    def play(seeds: Sequence[int], contenders: Sequence[Contender] = ()) -> Mapping[str, Watch]:
        world = SelectionWorld(scale, seeds, loop=declared["loop"])
        detector = SelectionDetector(runs=(len(seeds),))
        return _played([detector], ((world.step(),) for _ in range(steps)), contenders, len(seeds))

    return Experiment(
        name,
        detector=SelectionDetector.name,
        steps=steps,
        events=round(steps * scale.events),
        play=play,
        baselines=lambda: of_concentration(_gini_of_shown),
        **declared,
    )


def _arms(name: str, steps: int, scale: ArmsScale, **declared: Any) -> Experiment:
    def play(seeds: Sequence[int], contenders: Sequence[Contender] = ()) -> Mapping[str, Watch]:
        world = ArmsWorld(scale, seeds)
        detector = ConcentrationDetector(_THINNING, runs=(len(seeds),))
        return _played([detector], ((world.step(),) for _ in range(steps)), contenders, len(seeds))

    return Experiment(
        name,
        detector=ConcentrationDetector.name,
        steps=steps,
        events=round(steps * scale.events),
        play=play,
        baselines=lambda: of_concentration(_gini_of_production),
        **declared,
    )


def _presentation(name: str, steps: int, scale: PresentationScale, **declared: Any) -> Experiment:
    return Experiment(
        name,
        detector=PresentationDetector.name,
        steps=steps,
        events=steps * scale.users * scale.slots,
        play=_each(lambda seed: PresentationDetector(), lambda seed: presentation_rows(scale, seed, steps)),
        baselines=lambda: of_number(_click_rate),
        **declared,
    )


def _retraining(name: str, steps: int, scale: RetrainScale, **declared: Any) -> Experiment:
    return Experiment(
        name,
        detector=RetrainEchoDetector.name,
        steps=steps,
        events=steps,
        play=_each(RetrainEchoDetector, lambda seed: retrains(scale, seed, steps)),
        baselines=lambda: of_number(_mean_kpi),
        **declared,
    )


def _gini_of_shown(observed: tuple[ExplorationCells]) -> Float64:
    (cells,) = observed
    return gini((cells.exploit_rows + cells.explore_rows).sum(axis=-2))


def _gini_of_production(observed: tuple[ArmCells]) -> Float64:
    (cells,) = observed
    return gini(cells.production)


def _click_rate(observed: Sequence[ExplorationRows]) -> Float64:
    return np.array([rows.click.mean() for rows in observed])


def _mean_kpi(observed: Sequence[Retrain]) -> Float64:
    return np.array([retrain.kpi.mean() for retrain in observed])


def _each(make: Callable[[int], _Evident], observe: Callable[[int], Iterator[object]]) -> Play:
    """Plays seeds in step, each with a detector of its own."""

    def play(seeds: Sequence[int], contenders: Sequence[Contender] = ()) -> Mapping[str, Watch]:
        steps = zip(*(observe(seed) for seed in seeds), strict=True)
        return _played([make(seed) for seed in seeds], steps, contenders, len(seeds))

    return play


def _played(
    detectors: Sequence[_Evident],
    steps: Iterable[Sequence[object]],
    contenders: Sequence[Contender],
    runs: int,
) -> Mapping[str, Watch]:
    """Step by step, an observation for each of ``detectors``, which have (runs,) evidence together."""
    stopwatch, alarms, rivals = Stopwatch(), Alarms(runs, AlarmBudget()), Rivals(contenders, runs)
    for step, observed in enumerate(steps):
        with stopwatch:
            for detector, observation in zip(detectors, observed, strict=True):
                detector.update(observation)
        alarms.note(step, np.hstack([detector.peak.highest for detector in detectors]))
        rivals.update(step, observed)
    return {detectors[0].name: alarms.watch(stopwatch.cpu_s), **rivals.watches()}


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

"""Puts experiments together with what they need: salts, switches, a budget, a frozen model."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass

from prometheus_client import REGISTRY, CollectorRegistry, Gauge

from feature_store.clock import Clock
from feature_store.online.switches import open_switches
from feature_store.schema.assignments import DEPLOYS, EXPLORATION, HOLDOUT, NUDGES
from ranker.experiments.budget import CostBudget
from ranker.experiments.draw import EXPERIMENTS, Experiments, no_deploys
from ranker.experiments.nudge import Nudges
from ranker.experiments.settings import ExperimentSettings
from ranker.experiments.switches import SwitchWatcher
from ranker.pipeline.components import Nudger, Surface
from ranker.policies.config import DEFAULT_SURFACE
from ranker.registry.models import ServedModel
from ranker.service.ranking import DrawArms, no_experiments
from ranker.service.releases import DrawnReleases
from ranker.side_effects.experiment_cost import ExperimentCost
from ranker.side_effects.forgone_cost import Ask, Forgone, ForgoneCost
from ranker.side_effects.worker import SideEffect

_SWITCH_TIMEOUT_MS = 200


@dataclass(frozen=True, slots=True)
class Instruments:
    """What rankings are randomised with; of a ranker without experiments, nothing.

    Attributes
    ----------
    effects : makes the side effects that watch over the budget, once there are surfaces
    """

    draw_arms: DrawArms
    nudger: Nudger | None
    effects: Callable[[Mapping[str, Surface]], tuple[SideEffect, ...]]


OFF = Instruments(no_experiments, None, lambda _surfaces: ())


class ExperimentMetrics:
    """Which experiments run, and what they cost."""

    def __init__(self, settings: ExperimentSettings, registry: CollectorRegistry = REGISTRY) -> None:
        self._running = Gauge(
            "eddyline_ranker_experiment_running",
            "1 while an experiment that the settings ask for runs, 0 while it is switched off.",
            ("experiment",),
            registry=registry,
        )
        self._cost = Gauge(
            "eddyline_ranker_experiment_cost_ratio",
            "Share of the expected value of answers that an experiment costs.",
            ("experiment",),
            registry=registry,
        )
        self._waiting = Gauge(
            "eddyline_ranker_experiment_deploy_waiting",
            "1 while a promoted version waits for the moment drawn for it.",
            registry=registry,
        )
        self._held = Gauge(
            "eddyline_ranker_experiment_deploy_held",
            "1 while no moment comes: a loop is open, or somebody has stopped training.",
            registry=registry,
        )
        limit = Gauge(
            "eddyline_ranker_experiment_cost_max_ratio",
            "Cost above which an experiment is stopped.",
            registry=registry,
        )
        limit.set(settings.experiments_cost_max)

    def watch(self, experiment: str, off: Callable[[], frozenset[str]]) -> None:
        """Show whether it runs whenever metrics are asked for."""
        self._running.labels(experiment).set_function(lambda: float(experiment not in off()))

    def watch_deploys(self, waiting: Callable[[], ServedModel | None], held: Callable[[], bool]) -> None:
        """Show whether a promoted version waits for its moment, and whether moments come."""
        self._waiting.set_function(lambda: float(waiting() is not None))
        self._held.set_function(held)

    def cost(self, experiment: str, share: float) -> None:
        """Show what it costs."""
        self._cost.labels(experiment).set(share)


def asked_for(settings: ExperimentSettings) -> tuple[str, ...]:
    """Names of the experiments that the settings ask for."""
    sizes = (
        settings.nudge_delta,
        settings.explore_share,
        settings.holdout_share,
        settings.deploy_slots,
    )
    return tuple(name for name, size in zip(EXPERIMENTS, sizes, strict=True) if size)


def open_instruments(
    settings: ExperimentSettings,
    clock: Clock,
    stack: ExitStack,
    releases: DrawnReleases | None,
    served: Callable[[], ServedModel | None],
    ask: Ask,
) -> Instruments:
    """Follow the switches, if the settings ask for any experiment at all.

    Parameters
    ----------
    releases : where deploy times are drawn
    served : the version that answers where nobody is held out
    ask : for what another version would have answered
    """
    wanted = asked_for(settings)
    if not wanted:
        return OFF
    store = open_switches(settings, _SWITCH_TIMEOUT_MS)
    switches = SwitchWatcher(store, clock)
    switches.start()
    stack.callback(switches.close)
    metrics = ExperimentMetrics(settings)
    for name in wanted:
        metrics.watch(name, switches.off)
    if releases is not None:
        metrics.watch_deploys(releases.waiting, releases.held)
    budget = CostBudget(store, settings.experiments_cost_max, clock, metrics.cost)

    def effects(surfaces: Mapping[str, Surface]) -> tuple[SideEffect, ...]:
        selectors = {name: surface.selector for name, surface in surfaces.items()}
        default = surfaces[DEFAULT_SURFACE]
        of_requests = ExperimentCost(
            selectors, default.selector, budget.spent, nudges=NUDGES, exploration=EXPLORATION
        )

        def forgone(
            experiment: str, model: Forgone, told_after_ms: int, paused: Callable[[], bool]
        ) -> ForgoneCost:
            of_surfaces = (ask, surfaces, default)
            return ForgoneCost(
                experiment, model, *of_surfaces, budget.spent, told_after_ms=told_after_ms, paused=paused
            )

        of_users = forgone(
            HOLDOUT, lambda answer: served() if answer.query.arms.holdout else None, 0, lambda: False
        )
        if releases is None:
            return of_requests, of_users
        period_ms = settings.deploy_calendar.period_ms
        of_deploys = forgone(DEPLOYS, lambda _answer: releases.waiting(), period_ms, releases.held)
        return of_requests, of_users, of_deploys

    nudges = Nudges(settings.nudge_salt.get_secret_value().encode(), settings.nudge_delta)
    drawn = releases.drawn if releases is not None else no_deploys
    return Instruments(Experiments(settings, switches.off, drawn).arms, nudges, effects)

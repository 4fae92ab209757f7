"""From what seeds showed to figures with intervals."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from scipy.stats import beta as beta_distribution

from streams.loopbench.alarms import NEVER, Watch
from streams.loopbench.campaign import Outcome
from streams.loopbench.cost import engagement_cost
from streams.loopbench.experiments import Experiment
from streams.loopbench.worlds.catalogue import WorldSpec

BOARD = "board"
CLOSE = 0.2
"""A β within this share of the truth is a close one."""

MOST_FALSE_ALARMS = 0.01
"""Promised for every world without a loop, as the upper bound of the interval."""


@dataclass(frozen=True, slots=True)
class DetectorRow:
    """How often, and how soon, one detector alarmed in one world.

    Attributes
    ----------
    contender : whether it is a baseline, or knows nothing; it has one threshold only
    warnings, alarms : seeds that reached the ticket's threshold, and the page's
    power, power_low, power_high : share of seeds with an alarm, Clopper–Pearson at 95 %
    cpu_s_per_million_events : None of a member of the board, which counts as one
    """

    detector: str
    contender: bool
    warnings: int
    alarms: int
    power: float
    power_low: float
    power_high: float
    events_to_alarm_p50: float | None
    cpu_s_per_million_events: float | None


@dataclass(frozen=True, slots=True)
class BoardRow:
    """One world on the board, whatever records it gives.

    Attributes
    ----------
    beta : β_w of the path that the world is about, weighted by exposure, after the epochs that it takes to
        answer; None where nobody is nudged
    strength : of such a loop, in words
    delta : size of the nudge in score units; None where nobody is nudged
    events : that a seed has: impressions, or retrains
    detector : whose alarms these are
    alarms, power : seeds, and their share, in which it said `loop_detected` within ``events`` (D4, which
        never says more: `warning`); bounds of the share are Clopper–Pearson at 95 %
    warnings : seeds that reached the ticket threshold
    target_power : promised; None: nothing is
    cpu_s_per_million_events : that ``detector`` took, for D5 of a million retrains
    detectors : all that watched, ``detector`` first, contenders last
    """

    world: str
    loop: bool
    beta: float | None
    strength: str
    delta: float | None
    events: int
    detector: str
    seeds: int
    alarms: int
    power: float
    target_power: float | None
    events_to_alarm_p50: float | None
    power_low: float
    power_high: float
    warnings: int
    cpu_s_per_million_events: float
    detectors: list[DetectorRow]

    @property
    def holds(self) -> bool | None:
        """Whether what was promised was reached; None where nothing was."""
        if self.loop:
            return None if self.target_power is None else self.power >= self.target_power
        return self.power_high <= MOST_FALSE_ALARMS

    def to_json(self) -> dict[str, object]:
        return {**asdict(self), "holds": self.holds}


@dataclass(frozen=True, slots=True)
class WorldRow(BoardRow):
    """A world in which every item is nudged: ``detector`` is the fused board.

    Attributes
    ----------
    answers_after : epochs after which the answer comes that is ``beta``
    beta_over_items : the same, every item counting the same
    beta_as_estimated : β after one epoch with the detectors' weights
    beta_estimate_p50 : median of its estimates
    beta_close : share of the seeds whose estimate is within ± 20 %
    coverage : share of the seeds whose confidence sequence held the true β at every epoch
    gain, gain_estimate_p50, gain_coverage : the same of the long-run gain G; None where it is not estimated
    located : share of the seeds with an alarm in which the place that was named is right, by kind of place
    false_edges : share of all seeds in which D2 ever believed an edge that there is not
    all_edges : share in which it believed all that there are, in the end
    engagement_cost : share of clicks that the nudges cost
    """

    answers_after: int
    beta_over_items: float
    beta_as_estimated: float
    beta_estimate_p50: float
    beta_close: float | None
    coverage: float
    gain: float | None
    gain_estimate_p50: float | None
    gain_coverage: float | None
    located: dict[str, float]
    false_edges: float | None
    all_edges: float | None
    engagement_cost: float


def row_of(spec: WorldSpec, outcome: Outcome) -> WorldRow:
    """The figures of one world."""
    found = outcome.watches[BOARD].page != NEVER
    comparable = spec.loop and spec.answers_after == 1
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(outcome.estimates / outcome.beta - 1)
    return WorldRow(
        **_board_columns(outcome.watches, spec.events / spec.epochs, spec.events),
        world=spec.name,
        loop=spec.loop,
        beta=float(outcome.beta_over_exposure.mean()),
        strength="",
        delta=spec.scale.delta,
        target_power=spec.target_power,
        answers_after=spec.answers_after,
        beta_over_items=float(outcome.beta_over_items.mean()),
        beta_as_estimated=float(outcome.beta.mean()),
        beta_estimate_p50=float(np.median(outcome.estimates)),
        beta_close=float((off <= CLOSE).mean()) if comparable else None,
        coverage=float(outcome.covered.mean()),
        gain=float(outcome.gain.mean()) if spec.gain_lags else None,
        gain_estimate_p50=float(np.median(outcome.gain_estimates)) if spec.gain_lags else None,
        gain_coverage=float(outcome.gain_covered.mean()) if spec.gain_lags else None,
        located={what: float(right[found].mean()) for what, right in outcome.located.items() if found.any()},
        false_edges=None if outcome.false_edge is None else float(outcome.false_edge.mean()),
        all_edges=None if outcome.all_edges is None else float(outcome.all_edges.mean()),
        engagement_cost=engagement_cost(spec.sampler, spec.scale.delta),
    )


def experiment_row(experiment: Experiment, watches: Mapping[str, Watch]) -> BoardRow:
    """The figures of one experiment: alarms are pages (for D4, which never pages, tickets)."""
    own = watches[experiment.detector]
    if not experiment.pages:
        watches = {**watches, experiment.detector: replace(own, page=own.ticket)}
    return BoardRow(
        **_board_columns(watches, experiment.events / experiment.steps, experiment.events),
        world=experiment.name,
        loop=experiment.loop,
        beta=None,
        strength=experiment.strength,
        delta=None,
        target_power=experiment.target_power,
    )


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share."""
    tail = (1 - level) / 2
    low = beta_distribution.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta_distribution.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def _board_columns(watches: Mapping[str, Watch], per_step: float, events: int) -> dict[str, Any]:
    """What all rows have: the figures of the first of ``watches``, and all of them."""
    detectors = [_detector_row(name, watch, per_step, events) for name, watch in watches.items()]
    first = asdict(detectors[0])
    del first["contender"]
    seeds = len(next(iter(watches.values())).page)
    return {**first, "events": events, "seeds": seeds, "detectors": detectors}


def _detector_row(name: str, watch: Watch, per_step: float, events: int) -> DetectorRow:
    """``per_step`` of ``events`` are in an epoch."""
    seeds, alarmed = len(watch.page), watch.page[watch.page != NEVER]
    low, high = clopper_pearson(len(alarmed), seeds)
    return DetectorRow(
        detector=name,
        contender=watch.contender,
        warnings=int((watch.ticket != NEVER).sum()),
        alarms=len(alarmed),
        power=len(alarmed) / seeds,
        power_low=low,
        power_high=high,
        events_to_alarm_p50=float(np.median(alarmed) * per_step) if len(alarmed) else None,
        cpu_s_per_million_events=None if watch.cpu_s is None else watch.cpu_s / seeds / events * 1e6,
    )

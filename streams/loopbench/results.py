"""From what seeds showed to figures with intervals."""

from dataclasses import asdict, dataclass

import numpy as np
from scipy.stats import beta as beta_distribution

from streams.loopbench.campaign import NEVER, Outcome, Watch
from streams.loopbench.cost import engagement_cost
from streams.loopbench.worlds.catalogue import WorldSpec

BOARD = "board"
CLOSE = 0.2
"""A β within this share of the truth is a close one."""

MOST_FALSE_ALARMS = 0.01
"""Promised for every world without a loop, as the upper bound of the interval."""


@dataclass(frozen=True, slots=True)
class DetectorRow:
    """How often one detector alarmed in one world; a contender has one threshold only."""

    detector: str
    warnings: int
    alarms: int
    power: float
    power_low: float
    power_high: float
    events_to_alarm_p50: float | None


@dataclass(frozen=True, slots=True)
class WorldRow:
    """One world on the board.

    ``beta`` is β_w, weighted by exposure, of the path that the world is about; ``power`` the share of the
    seeds in which the fused board said `loop_detected` within ``events``, its bounds Clopper–Pearson at 95 %.
    ``warnings`` counts seeds that reached the ticket threshold. ``coverage`` is the share of the seeds whose
    confidence sequence held the true β at every epoch.
    """

    world: str
    loop: bool
    beta: float
    delta: float
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
    beta_over_items: float
    beta_as_estimated: float
    beta_estimate_p50: float
    beta_close: float | None
    coverage: float
    located: dict[str, float]
    engagement_cost: float
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


def row_of(spec: WorldSpec, outcome: Outcome) -> WorldRow:
    """The figures of one world."""
    detectors = [_detector_row(name, watch, spec) for name, watch in outcome.watches.items()]
    board = detectors[0]
    found = outcome.watches[BOARD].page != NEVER
    with np.errstate(divide="ignore", invalid="ignore"):
        off = np.abs(outcome.estimates / outcome.beta - 1)
    return WorldRow(
        world=spec.name,
        loop=spec.loop,
        beta=float(outcome.beta_over_exposure.mean()),
        delta=spec.scale.delta,
        events=spec.events,
        detector=BOARD,
        seeds=len(outcome.seeds),
        alarms=board.alarms,
        power=board.power,
        target_power=spec.target_power,
        events_to_alarm_p50=board.events_to_alarm_p50,
        power_low=board.power_low,
        power_high=board.power_high,
        warnings=board.warnings,
        beta_over_items=float(outcome.beta_over_items.mean()),
        beta_as_estimated=float(outcome.beta.mean()),
        beta_estimate_p50=float(np.median(outcome.estimates)),
        beta_close=float((off <= CLOSE).mean()) if spec.loop else None,
        coverage=float(outcome.covered.mean()),
        located={what: float(right[found].mean()) for what, right in outcome.located.items() if found.any()},
        engagement_cost=engagement_cost(spec.sampler, spec.scale.delta),
        cpu_s_per_million_events=outcome.cpu_s / len(outcome.seeds) / spec.events * 1e6,
        detectors=detectors,
    )


def clopper_pearson(successes: int, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Exact two-sided interval of a share."""
    tail = (1 - level) / 2
    low = beta_distribution.ppf(tail, successes, trials - successes + 1) if successes else 0.0
    high = beta_distribution.ppf(1 - tail, successes + 1, trials - successes) if successes < trials else 1.0
    return float(low), float(high)


def _detector_row(name: str, watch: Watch, spec: WorldSpec) -> DetectorRow:
    alarmed = watch.page[watch.page != NEVER]
    per_epoch = spec.events / spec.epochs
    low, high = clopper_pearson(len(alarmed), len(watch.page))
    return DetectorRow(
        detector=name,
        warnings=int((watch.ticket != NEVER).sum()),
        alarms=len(alarmed),
        power=len(alarmed) / len(watch.page),
        power_low=low,
        power_high=high,
        events_to_alarm_p50=float(np.median(alarmed) * per_epoch) if len(alarmed) else None,
    )

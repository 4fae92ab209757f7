"""D5: does a KPI answer to retraining itself?

Deploy times are drawn uniformly from the slots of a window, and logged as such. If a deploy does nothing,
the real slot is like any other, so the rank of its before-and-after difference among those of all slots is
uniform, whatever the season or the trend; small ranks, again and again, are evidence. A better model moves
a KPI too: on a KPI of exploration slots, which the model does not choose, it is an echo.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.deploy_calendar import LEAD_STEPS
from streams.feedback.base import Estimate, State, Verdict
from streams.feedback.capture import capture, reinstate
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import log_mean_exp
from streams.feedback.evidence.confidence import AsymptoticSequence
from streams.feedback.evidence.uniformity import log_evidence_against_uniform
from streams.feedback.peak import Peak

Float64 = NDArray[np.float64]

POWERS: Float64 = np.array([0.2, 0.4, 0.6, 0.8])
"""Exponents k of the bets k·p^(k-1) on small p (Vovk and Wang, Annals of Statistics 2021)."""

BEFORE_AFTER = LEAD_STEPS
"""KPI values averaged on either side of a slot: two hours of quarters."""

WARM_UP = 5
"""Retrains before the first verdict."""

_BINS = 8
_BLIND_AFTER = WARM_UP
_NOT_SPREAD = "deploys are not spread over their window: nothing tells one from the time of day"
RISE_FROM = 10
"""Deploys from which the rise is told with its confidence sequence: one that is asymptotic needs some."""

_RISE_ALPHA = 0.025
"""The other half of .05 is for what "asymptotic" leaves out at ten values: it misses in 4 %, measured."""

_TUNED_TO = 40.0
_STATE = (
    "log_capital",
    "slots_seen",
    "effect",
    "not_followed",
    "rise.sums",
    "peak.bets",
    "peak.idle",
    "peak.highest",
)


@dataclass(frozen=True, slots=True)
class Retrain:
    """One deploy of a newly trained model.

    Attributes
    ----------
    number : of the retrain, counted from 0: seeds the randomised rank
    kpi : (slots + 2 * BEFORE_AFTER - 1,) values at equal steps, beginning BEFORE_AFTER steps before the
        first slot of the window
    slot : which slot was drawn, counted from 0
    followed : whether the model changed then and at no other time of the window
    """

    number: int
    kpi: Float64
    slot: int
    followed: bool = True

    def __post_init__(self) -> None:
        slots = len(self.kpi) - 2 * BEFORE_AFTER + 1
        if not 0 <= self.slot < slots:
            raise ValueError(f"slot: {self.slot} is not within the {slots} slots of the window")
        if not np.isfinite(self.kpi).all():
            raise ValueError("kpi: not all values are finite")


class RetrainEchoDetector:
    """Bets that the KPI rises at the deploy more than at other times it could have been.

    When deploys cluster in part of the window (Dirichlet evidence >= 100 over eight parts), they were not
    drawn as logged, and the detector is blind. Nothing is said of the first :data:`WARM_UP` deploys, after
    which deploys at one time of the day are known as such.

    A draw that was not followed has the worst rank, 1: whoever interfered may have seen the KPI, so nothing
    may be won by it, and leaving it out would choose among draws.

    Parameters
    ----------
    seed : of the ranks' tie-breaking, which must not change within the life of a process
    budget : of false alarms

    Attributes
    ----------
    log_capital : (4,) of the bets, one for each exponent
    slots_seen : (8,) deploys by part of the window
    effect : (2,) sums of the difference at the deploys that were followed, and of the mean over all slots
    not_followed : () deploys that were not
    rise : of the former above the latter, by how much
    """

    name = "D5"

    def __init__(self, seed: int, budget: AlarmBudget | None = None) -> None:
        self.budget = budget or AlarmBudget()
        self._seed = seed
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.log_capital = np.zeros(len(POWERS))
        self.slots_seen = np.zeros(_BINS, np.int64)
        self.effect = np.zeros(2)
        self.not_followed = np.zeros((), np.int64)
        self.rise = AsymptoticSequence((), _RISE_ALPHA, _TUNED_TO)
        self.peak = Peak((), _BLIND_AFTER)

    def update(self, observation: Retrain) -> None:
        """Take in the next retrain, after the window has passed."""
        jumps = jumps_by_slot(observation.kpi)
        self.slots_seen[observation.slot * _BINS // len(jumps)] += 1
        if observation.followed:
            at_deploy, usual = jumps[observation.slot], jumps.mean()
            self.effect += at_deploy, usual
            self.rise.update(np.array([at_deploy - usual]), np.ones(1))
        else:
            self.not_followed += 1
        spread = self._spread()
        if spread:
            tie = np.random.default_rng([self._seed, observation.number]).random()
            p = randomised_rank(jumps, observation.slot, tie) if observation.followed else 1.0
            self.log_capital += np.log(POWERS) + (POWERS - 1.0) * np.log(p)
        known = spread and self.slots_seen.sum() >= WARM_UP
        self.peak.note(self.log_evidence() if known else np.zeros(()), np.array(known))

    def log_evidence(self) -> Float64:
        """ln W."""
        return log_mean_exp(self.log_capital, axis=-1)

    def verdict(self, now_ms: int) -> Verdict:
        """Of what was seen so far."""
        retrains, not_followed = int(self.slots_seen.sum()), int(self.not_followed)
        moved, usual = self.effect / max(1, retrains - not_followed)
        return self.peak.verdict(
            self.name,
            self.budget,
            now_ms,
            lacking=_NOT_SPREAD if retrains >= WARM_UP else f"{retrains} of {WARM_UP} retrains were seen",
            evidence={
                "retrains": retrains,
                "not_followed": not_followed,
                "kpi_jump": float(moved),
                "kpi_jump_of_any_slot": float(usual),
            },
            effect=self._rise() if retrains - not_followed >= RISE_FROM else None,
        )

    def state(self) -> State:
        return capture(self, _STATE)

    def restore(self, state: State) -> None:
        reinstate(self, _STATE, state)

    def _rise(self) -> Estimate:
        found = self.rise.interval()
        return Estimate(float(found.estimate), float(found.lower), float(found.upper))

    def _spread(self) -> bool:
        return log_evidence_against_uniform(self.slots_seen) < self.budget.log_ticket


def jumps_by_slot(kpi: Float64) -> Float64:
    """(slots,) mean of the BEFORE_AFTER values from each slot on, less that of those before it."""
    sums = np.concatenate([[0.0], np.cumsum(kpi)])
    means = (sums[BEFORE_AFTER:] - sums[:-BEFORE_AFTER]) / BEFORE_AFTER
    jumps: Float64 = means[BEFORE_AFTER:] - means[:-BEFORE_AFTER]
    return jumps


def randomised_rank(values: Float64, place: int, tie: float) -> float:
    """Rank of ``values[place]`` from the top, in (0, 1]; uniform when ``place`` was drawn uniformly."""
    above = int((values > values[place]).sum())
    equal = int((values == values[place]).sum())
    return (above + (1.0 - tie) * equal) / len(values)

"""D4: does exposure concentrate faster than it would without the loop?

A report of harm, not a pager. What is compared is production, *thinned* to the size of a holdout,
with a holdout that sees live inputs but whose loop feature is corrected for exposure; a trend of the
concentration alone says nothing, because tastes and catalogues drift by themselves.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.base import State, Verdict
from streams.feedback.capture import capture, reinstate
from streams.feedback.concentration_measures import gini, thin
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import BETS, BettingMixture, log_mean_exp
from streams.feedback.peak import Peak

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]

BLIND_AFTER_EPOCHS = 3
_CLIP = 2.5
_STATE = (
    "growth.epochs",
    "growth.first",
    "growth.capital.log_capital",
    "peak.bets",
    "peak.idle",
    "peak.highest",
    "gap",
)


@dataclass(frozen=True, slots=True)
class ArmCells:
    """One epoch's exposures of n items in two arms, (*runs, n) counts.

    Attributes
    ----------
    epoch : counted from 0: seeds the thinning
    production : of users with the loop
    holdout : of users whose ranker has live inputs and no loop; a ranker that is frozen drifts away by itself
    """

    epoch: int
    production: Int64
    holdout: Int64

    def __post_init__(self) -> None:
        if self.production.shape != self.holdout.shape:
            raise ValueError(f"holdout: shape {self.holdout.shape} is not that of production")


class ConcentrationDetector:
    """Growth of the Gini coefficient of production, thinned, above that of the holdout.

    The most that it says is `warning`.

    Parameters
    ----------
    seed : of the thinning, which must not change within the life of a process
    half : epochs between those that are compared; a loop whose growth is over sooner leaves only a level
    budget : of false alarms
    runs : shape of independent runs side by side; production is ()
    catalogue : items that there are at most, where cells have only those seen: coefficients are then taken as
        if the others were there, never shown, so that how many are seen does not matter; None: cells have all

    Attributes
    ----------
    gap : (*runs,) difference of the Gini coefficients in the last epoch
    """

    name = "D4"

    def __init__(
        self,
        seed: int,
        half: int = 30,
        budget: AlarmBudget | None = None,
        runs: tuple[int, ...] = (),
        catalogue: int | None = None,
    ) -> None:
        self.budget = budget or AlarmBudget()
        self._catalogue = catalogue
        self._seed, self._half, self._runs = seed, half, runs
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.growth = ConcentrationGrowth(self._half, self._runs)
        self.peak = Peak(self._runs, BLIND_AFTER_EPOCHS, pages=False)
        self.gap = np.zeros(self._runs)

    def update(self, observation: ArmCells) -> None:
        """Take in the next epoch; one without exposures in either arm counts for nothing."""
        seen = (observation.production.sum(axis=-1) > 0) & (observation.holdout.sum(axis=-1) > 0)
        if seen.all():
            self.gap = self._gaps(observation)
            self.growth.observe(self.gap)
        self.peak.note(self.growth.log_evidence(), seen)

    def kinds(self) -> NDArray[np.str_]:
        """(*runs,) verdicts."""
        return self.peak.kinds(self.budget)

    def verdict(self, now_ms: int) -> Verdict:
        """Of the one run that production is."""
        return self.peak.verdict(
            self.name,
            self.budget,
            now_ms,
            lacking="no exposures of both arms: without a holdout a trend says nothing",
            evidence={"gini_gap": float(self.gap), "epochs": int(self.growth.epochs)},
        )

    def state(self) -> State:
        return capture(self, _STATE)

    def restore(self, state: State) -> None:
        reinstate(self, _STATE, state)

    def _gaps(self, cells: ArmCells) -> Float64:
        """(*runs,) each thinned by a generator of its own, so that no run depends on those beside it."""
        items = cells.production.shape[-1]
        pairs = zip(cells.production.reshape(-1, items), cells.holdout.reshape(-1, items), strict=True)
        seed = [self._seed, cells.epoch]
        gaps = [gini_gap(*pair, np.random.default_rng(seed)) for pair in pairs]
        # G of n items is 1 − (1 − G) n / N among N, the others never shown: differences shrink by n / N.
        seen = items / self._catalogue if self._catalogue else 1.0
        return seen * np.array(gaps, dtype=np.float64).reshape(self._runs)


def gini_gap(production: Int64, holdout: Int64, rng: np.random.Generator) -> float:
    """Gini of (n,) counts of production less that of the holdout, the larger arm thinned to the smaller."""
    size = min(int(production.sum()), int(holdout.sum()))
    return float(gini(thin(production, size, rng)) - gini(thin(holdout, size, rng)))


class ConcentrationGrowth:
    """Bets that the difference of the arms' Gini coefficients grows.

    Epoch t is paired with t + ``half``; the bet is on the sign of the change, within blocks of
    2 · ``half`` epochs, at a scale known before it: the root mean square of the steps of the block's
    first half.

    Parameters
    ----------
    half : epochs between the two of a pair, >= 2
    streams : shape of independent runs that are observed side by side

    Attributes
    ----------
    epochs : observed since the blocks last began anew
    first : (half, *streams) differences of the first half of the block
    capital : of the bets
    """

    def __init__(self, half: int, streams: tuple[int, ...] = ()) -> None:
        if half < 2:
            raise ValueError(f"half: {half} is below 2, so that nothing gives the scale")
        self.epochs = 0
        self.first = np.zeros((half, *streams))
        self.capital = BettingMixture(streams)

    def observe(self, gap: Float64 | float) -> None:
        """Take the next epoch's difference (*streams,): Gini of production less that of the holdout."""
        half = len(self.first)
        place = self.epochs % (2 * half)
        if place < half:
            self.first[place] = gap
        else:
            self.capital.update(self._bet(np.asarray(gap) - self.first[place - half])[..., None])
        self.epochs += 1

    def begin_block(self) -> None:
        """Pair no epoch from now on with one before; what was bet stays."""
        self.epochs = 0

    def log_evidence(self) -> Float64:
        """(*streams,) ln W of growth: only the gamblers that bet on it."""
        return log_mean_exp(self.capital.log_capital[..., BETS > 0], axis=-1)

    def _bet(self, change: Float64) -> Float64:
        scale = _CLIP * np.sqrt(np.square(np.diff(self.first, axis=0)).mean(axis=0))
        ratio = np.divide(change, scale, out=np.zeros_like(change), where=scale > 0)
        bet: Float64 = np.clip(ratio, -1.0, 1.0)
        return bet

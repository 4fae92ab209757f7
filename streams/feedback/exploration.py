"""D3: is value left lying because the ranker learns only from what it shows itself?

A selection loop leaves no mark on the items that are shown: what people do with an item does not depend
on why it was shown. It is found where exploration shows what production does not. A *twin*, the same
learner with the exploration rows added, names items that it would show instead; if those earn more in
exploration than the items that they would replace earn in production, the loop costs something.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.base import State, Verdict
from streams.feedback.capture import capture, reinstate
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import BETS, BettingMixture, log_mean_exp
from streams.feedback.peak import Peak

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLIND_AFTER_EPOCHS = 20
_CLIP_SD = 2.5
_STATE = ("capital.log_capital", "peak.bets", "peak.idle", "peak.highest", "earned")


@dataclass(frozen=True, slots=True)
class ExplorationCells:
    """One epoch, (*runs, n) columns over items.

    Exploration and exploitation must show items at the same positions, or positions must have been
    corrected for: otherwise the difference is one of places, not of items.

    Attributes
    ----------
    chosen : items that production shows in this epoch
    twin_chosen : items that the twin would show; decided, as ``chosen`` is, before the epoch
    exploit_exposures, exploit_clicks : counts of rows that production chose
    explore_exposures, explore_clicks : counts of rows that chance chose
    """

    chosen: Mask
    twin_chosen: Mask
    exploit_exposures: Float64
    exploit_clicks: Float64
    explore_exposures: Float64
    explore_clicks: Float64

    def __post_init__(self) -> None:
        for kind in ("exploit", "explore"):
            exposures, clicks = getattr(self, f"{kind}_exposures"), getattr(self, f"{kind}_clicks")
            if exposures.shape != self.chosen.shape or clicks.shape != self.chosen.shape:
                raise ValueError(f"{kind}_exposures, {kind}_clicks: shape is not that of chosen")
            if ((clicks < 0) | (clicks > exposures)).any():
                raise ValueError(f"{kind}_clicks: not within 0 and {kind}_exposures")


class SelectionDetector:
    """Bets, one-sided, that contested items earn more than those they would replace.

    Per epoch V = (clicks in exploration − rows in exploration · CTR in exploitation of the items the twin
    would drop) / (2.5 standard deviations), clipped to ±1. Clicks are right-skewed, so that clipping
    takes from the gains: under "no gain" the expectation of V is at most 0.

    Parameters
    ----------
    budget : of false alarms
    runs : shape of independent runs side by side; production is ()

    Attributes
    ----------
    earned : (3, *runs) sums over contested items: exploration rows, their clicks, what the items that
        they would replace had earned in as many rows
    """

    name = "D3"

    def __init__(self, budget: AlarmBudget | None = None, runs: tuple[int, ...] = ()) -> None:
        self.budget = budget or AlarmBudget()
        self._runs = runs
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.capital = BettingMixture(self._runs)
        self.peak = Peak(self._runs, BLIND_AFTER_EPOCHS)
        self.earned = np.zeros((3, *self._runs))

    def update(self, observation: ExplorationCells) -> None:
        """Take in the next epoch."""
        contested = observation.twin_chosen & ~observation.chosen
        dropped = observation.chosen & ~observation.twin_chosen
        rows = _sum(observation.explore_exposures, contested)
        clicks = _sum(observation.explore_clicks, contested)
        shown = _sum(observation.exploit_exposures, dropped)
        rate = _sum(observation.exploit_clicks, dropped) / np.maximum(shown, 1.0)
        known = (rows > 0) & (shown > 0)
        scale = np.maximum(1.0, _CLIP_SD * np.sqrt(rows * rate * (1.0 - rate)))
        gain = np.where(known, (clicks - rows * rate) / scale, 0.0)
        self.capital.update(np.clip(gain, -1.0, 1.0)[..., None])
        self.earned += np.where(known, np.stack([rows, clicks, rows * rate]), 0.0)
        explored = observation.explore_exposures.sum(axis=-1) > 0
        self.peak.note(self.log_evidence(), explored)

    def log_evidence(self) -> Float64:
        """(*runs,) ln W of a gain."""
        return log_mean_exp(self.capital.log_capital[..., BETS > 0], axis=-1)

    def kinds(self) -> NDArray[np.str_]:
        """(*runs,) verdicts."""
        return self.peak.kinds(self.budget)

    def verdict(self, now_ms: int) -> Verdict:
        """Of the one run that production is."""
        rows, clicks, replaced = self.earned
        return self.peak.verdict(
            self.name,
            self.budget,
            now_ms,
            lacking="no exploration rows: nothing shows what is not shown",
            evidence={
                "contested_rows": float(rows),
                "contested_click_rate": float(clicks / rows) if rows else None,
                "replaced_click_rate": float(replaced / rows) if rows else None,
            },
        )

    def state(self) -> State:
        return capture(self, _STATE)

    def restore(self, state: State) -> None:
        reinstate(self, _STATE, state)


def _sum(counts: Float64, where: Mask) -> Float64:
    total: Float64 = np.where(where, counts, 0.0).sum(axis=-1)
    return total

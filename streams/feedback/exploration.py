"""D3: is value left lying because the ranker learns only from what it shows itself?

A selection loop leaves no mark on the items that are shown: what people do with an item does not depend
on why it was shown. It is found where exploration shows what production does not. A *twin*, which learns as
production's own record does with the exploration rows added, names items that it would show instead; if
those earn more in exploration than what production chose for the same places, the loop costs something.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from streams.feedback.base import State, Verdict
from streams.feedback.capture import capture, reinstate
from streams.feedback.evidence.alarm_budget import AlarmBudget
from streams.feedback.evidence.betting import BETS, BettingMixture, log_mean_exp
from streams.feedback.exploration_cells import ExplorationCells
from streams.feedback.item_twin import ItemTwin
from streams.feedback.peak import Peak

Float64 = NDArray[np.float64]
Mask = NDArray[np.bool_]

BLIND_AFTER_EPOCHS = 20
MIN_CHOSEN = 9
"""Chosen rows that there must be at a place for each contested one, whose yardstick they are."""

_UNIT_SD = 2.0
_LEAST_VARIANCE = 0.01
_STATE = (
    "twin.learned",
    "twin.places",
    "capital.log_capital",
    "peak.bets",
    "peak.idle",
    "peak.highest",
    "earned",
)


class SelectionDetector:
    """Bets, one-sided, that contested items earn more than what stands where they would stand.

    Contested at a place is an item of which production shows no more than chance does, whose predictions do
    not come up to those of what it chose for the place, as they are or set right by what it chose alone, and
    do once the rows of chance are counted, too; all of it known before the epoch's clicks. Per epoch V is the
    clicks of contested rows less what was chosen for the same places earns in as many, each row with the
    gain that is expected of it as its stake, in units of two standard deviations, or of all that can be lost
    where that is more. So only gains are ever clipped, and under "no gain" the expectation of V is at most 0.

    Whether an item is contested depends on the item and the place, never on the user: users whom chance drew
    are like all users, those for whom an item is predicted to do well are not.

    Parameters
    ----------
    budget : of false alarms
    runs : shape of independent runs side by side; production is ()

    Attributes
    ----------
    twin : what is known of items
    earned : (3, *runs) sums over contested rows: rows, their clicks, what was chosen for their places had
        earned in as many rows
    """

    name = "D3"

    def __init__(self, budget: AlarmBudget | None = None, runs: tuple[int, ...] = ()) -> None:
        self.budget = budget or AlarmBudget()
        self._runs = runs
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self.twin = ItemTwin(self._runs)
        self.capital = BettingMixture(self._runs)
        self.peak = Peak(self._runs, BLIND_AFTER_EPOCHS)
        self.earned = np.zeros((3, *self._runs))

    def update(self, observation: ExplorationCells) -> None:
        """Take in the next epoch: bet on it, then learn from it."""
        places = observation.explore_rows.shape[-2]
        self.twin.make_room(int(observation.item.max(initial=-1)) + 1, places)
        self._bet(observation)
        self.twin.learn(observation)
        explored = observation.explore_rows.sum(axis=(-1, -2)) > 0
        self.peak.note(self.log_evidence(), explored)

    def log_evidence(self) -> Float64:
        """(*runs,) ln W of a gain."""
        return log_mean_exp(self.capital.log_capital[..., BETS > 0], axis=-1)

    def kinds(self) -> NDArray[np.str_]:
        """(*runs,) verdicts."""
        return self.peak.kinds(self.budget)

    def verdict(self, now_ms: int, name_of: Callable[[int], str] = str) -> Verdict:
        """Of the one run that production is; ``name_of`` a slot is its item."""
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
                "items": [name_of(slot) for slot in self.twin.underrated()],
            },
        )

    def state(self) -> State:
        return capture(self, _STATE)

    def restore(self, state: State) -> None:
        reinstate(self, _STATE, state)

    def _bet(self, cells: ExplorationCells) -> None:
        """Stake on contested rows, more where the twin expects more."""
        stakes, chosen = expected_gains(cells, self.twin), cells.exploit_rows.sum(axis=-1)
        enough = chosen >= MIN_CHOSEN * _sum(cells.explore_rows, stakes > 0)
        stakes = stakes * enough[..., None]
        rate = cells.exploit_clicks.sum(axis=-1) / np.maximum(chosen, 1.0)
        staked = _sum(cells.explore_rows, stakes)
        most_lost = (staked * rate).sum(axis=-1)
        gain = _sum(cells.explore_clicks, stakes).sum(axis=-1) - most_lost
        spread = _sum(cells.explore_rows, stakes * stakes) + staked * staked / np.maximum(chosen, 1.0)
        scale = _UNIT_SD * np.sqrt(spread.sum(axis=-1) * self._variance())
        bet = gain / np.maximum(np.maximum(scale, most_lost), np.finfo(np.float64).tiny)
        self.capital.update(np.minimum(bet, 1.0)[..., None])
        rows, clicks = (_sum(counts, stakes > 0) for counts in (cells.explore_rows, cells.explore_clicks))
        self.earned += np.stack([each.sum(axis=-1) for each in (rows, clicks, rows * rate)])

    def _variance(self) -> Float64:
        """(*runs,) of a click, as far as earlier epochs know; the largest before there are any."""
        rows, _, replaced = self.earned
        rate = (replaced + 0.5) / (rows + 1.0)
        variance: Float64 = np.maximum(rate * (1.0 - rate), _LEAST_VARIANCE)
        return variance


def expected_gains(cells: ExplorationCells, twin: ItemTwin) -> Float64:
    """(*runs, places, m) by how much more the twin expects of an item than of what was chosen for a place.

    Relative to that, at most 1; 0 where the twin would not show the item, or production would.
    """
    own, with_chance = twin.own(cells.item), twin.with_chance(cells.item)
    chosen = cells.exploit_rows.sum(axis=-1)
    bar = (_sum(cells.exploit_believed, own[..., None, :]) / np.maximum(chosen, 1.0))[..., None]
    believed = twin.believed(cells.item)
    by_production = (believed * np.maximum(own, 1.0))[..., None, :]
    by_twin = (believed * with_chance)[..., None, :]
    by_choice, by_chance = twin.shown(cells.item)
    unshown = by_choice + cells.exploit_rows.sum(axis=-2) <= by_chance + cells.explore_rows.sum(axis=-2)
    contested = unshown[..., None, :] & (by_production <= bar) & (by_twin > bar)
    return np.where(contested, np.minimum(by_twin / np.maximum(bar, 1e-9) - 1.0, 1.0), 0.0)


def _sum(counts: Float64, weights: Float64 | Mask) -> Float64:
    """(*runs, places)"""
    total: Float64 = (counts * weights).sum(axis=-1)
    return total

"""Production's predictions set right item by item: by what it chose alone, and by what chance showed, too.

Both learn alike, so that they differ by the exploration rows and by nothing else: a twin that needs no second
model. What is learned of an item is the ratio of its clicks to those that were predicted, at places as
they are clicked, shrunken to 1 by a gamma prior (Efron and Morris, "Stein's estimation rule and its
competitors", JASA 1973).
"""

import numpy as np
from numpy.typing import NDArray

from streams.feedback.exploration_cells import ExplorationCells
from streams.feedback.slots import with_room

Float64 = NDArray[np.float64]

HALF_LIFE_EPOCHS = 1000
"""After which what was learned counts half: tastes change, and so do models."""

PRIOR_ROWS = 50.0
"""Rows, clicked as often as predicted, that an item's ratio is held back by."""

_FORGOTTEN_ROWS = 0.5
_CLEARLY = 3.0
_CLICKS, _PREDICTED, _CHANCE_CLICKS, _CHANCE_PREDICTED, _CHANCE_BELIEVED, _ROWS, _CHANCE_ROWS = range(7)


class ItemTwin:
    """What is known of each item's clicks beside its predictions.

    Parameters
    ----------
    runs : shape of independent runs side by side; production is ()

    Attributes
    ----------
    learned : (7, *runs, slots) decayed sums over rows that production chose (clicks, predicted clicks, rows)
        and over those of chance (the same, and predictions as they are)
    places : (2, *runs, places) decayed clicks and predictions of rows that production chose
    """

    def __init__(self, runs: tuple[int, ...]) -> None:
        self.learned = np.zeros((7, *runs, 0))
        self.places = np.zeros((2, *runs, 0))

    def make_room(self, slots: int, places: int) -> None:
        """Know at least so many of both."""
        self.learned = with_room(self.learned, max(slots, self.learned.shape[-1]))
        self.places = with_room(self.places, max(places, self.places.shape[-1]))

    def own(self, item: NDArray[np.int64]) -> Float64:
        """(*runs, m) what predictions are to be multiplied by, by rows that production chose."""
        known = self.learned[..., item]
        return _ratio(known[_CLICKS], known[_PREDICTED], _prior(known))

    def with_chance(self, item: NDArray[np.int64]) -> Float64:
        """(*runs, m) the same by all rows."""
        known = self.learned[..., item]
        clicks, predicted = known[[_CLICKS, _CHANCE_CLICKS]], known[[_PREDICTED, _CHANCE_PREDICTED]]
        return _ratio(clicks.sum(axis=0), predicted.sum(axis=0), _prior(known))

    def believed(self, item: NDArray[np.int64]) -> Float64:
        """(*runs, m) mean prediction for users whom chance drew; NaN of an item that it never showed."""
        known = self.learned[..., item]
        rows = known[_CHANCE_ROWS]
        return np.where(rows > 0, known[_CHANCE_BELIEVED] / np.where(rows > 0, rows, 1.0), np.nan)

    def shown(self, item: NDArray[np.int64]) -> tuple[Float64, Float64]:
        """(*runs, m) rows that production chose, and rows of chance."""
        known = self.learned[..., item]
        return known[_ROWS], known[_CHANCE_ROWS]

    def learn(self, cells: ExplorationCells) -> None:
        """Take in an epoch."""
        self._fade()
        self.places += np.stack([cells.exploit_clicks.sum(axis=-1), cells.exploit_believed.sum(axis=-1)])
        clicks, believed = self.places[..., None]
        place = np.where(believed > 0, clicks / np.where(believed > 0, believed, 1.0), 1.0)
        rows = (
            cells.exploit_clicks,
            cells.exploit_believed * place,
            cells.explore_clicks,
            cells.explore_believed * place,
            cells.explore_believed,
            cells.exploit_rows,
            cells.explore_rows,
        )
        self.learned[..., cells.item] += np.stack([each.sum(axis=-2) for each in rows])

    def forgotten(self) -> NDArray[np.int64]:
        """Slots of which nothing is known any more, in any run; what little is left of them goes."""
        rows = self.learned[_ROWS] + self.learned[_CHANCE_ROWS]
        gone = (rows < _FORGOTTEN_ROWS).all(axis=tuple(range(rows.ndim - 1)))
        self.learned[..., gone] = 0.0
        return np.flatnonzero(gone)

    def underrated(self, most: int = 5) -> list[int]:
        """Slots of one run's items that production does not show, though by chance they are clicked clearly
        more than predicted; the most first.
        """
        clicks, predicted = self.learned[_CHANCE_CLICKS], self.learned[_CHANCE_PREDICTED]
        clearly = clicks - predicted > _CLEARLY * np.sqrt(predicted + 1.0)
        unshown = self.learned[_ROWS] <= self.learned[_CHANCE_ROWS]
        excess = np.where(clearly & unshown, clicks - predicted, 0.0)
        highest = np.argsort(-excess, kind="stable")[:most]
        return [int(slot) for slot in highest if excess[slot] > 0]

    def _fade(self) -> None:
        kept = 0.5 ** (1 / HALF_LIFE_EPOCHS)
        self.learned *= kept
        self.places *= kept


def _prior(known: Float64) -> Float64:
    """Predicted clicks of :data:`PRIOR_ROWS` rows of each item."""
    rows = known[_ROWS] + known[_CHANCE_ROWS]
    predicted = known[_PREDICTED] + known[_CHANCE_PREDICTED]
    prior: Float64 = PRIOR_ROWS * predicted / np.where(rows > 0, rows, 1.0)
    return prior


def _ratio(clicks: Float64, predicted: Float64, prior: Float64) -> Float64:
    """1 where nothing was predicted."""
    known = predicted + prior > 0
    return np.where(known, (clicks + prior) / np.where(known, predicted + prior, 1.0), 1.0)

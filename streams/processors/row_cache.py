"""The rows that a folder has at hand: one matrix, and where each entity is in it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from feature_store.online.rows import decode_rows
from feature_store.views import FeatureView
from streams.processors.entities import Numbers

Load = Callable[[Numbers, NDArray[np.intp]], list[bytes | None]]
"""Entities, and where among those asked for each is first -> their rows in the store, None for none."""


class RowCache:
    """Rows of one view.

    Attributes
    ----------
    rows : (capacity, view.width) float64; only the places given out mean anything
    """

    def __init__(self, view: FeatureView) -> None:
        self._view = view
        self._place: NDArray[np.intp] = np.empty(0, np.intp)
        self._n = 0
        self.rows: NDArray[np.float64] = np.empty((0, view.width))

    def __len__(self) -> int:
        return self._n

    def places(self, entity: Numbers, load: Load) -> NDArray[np.intp]:
        """Index in :attr:`rows` of each entity, (n,); rows not at hand are loaded, all in one call.

        Raises
        ------
        ValueError
            When a stored row has not the width of the view.
        """
        self._know(int(entity.max(initial=-1)))
        place = self._place[entity]
        absent = place < 0
        if absent.any():
            missing, first = np.unique(entity[absent], return_index=True)
            self._take_in(missing, load(missing, np.flatnonzero(absent)[first]))
            place = self._place[entity]
        return place

    def rows_of(self, entity: Numbers) -> NDArray[np.float64]:
        """(n, view.width) a copy of the rows of entities that are at hand."""
        rows: NDArray[np.float64] = self.rows[self._place[entity]]
        return rows

    def keep(self, entity: Numbers) -> None:
        """Forget all others; those kept have the numbers 0, 1, 2 … from now on."""
        self._know(int(entity.max(initial=-1)))
        place = self._place[entity]
        present = place >= 0
        self.rows = self.rows[place[present]]
        self._n = len(self.rows)
        self._place = np.where(present, np.cumsum(present) - 1, -1)

    def _know(self, number: int) -> None:
        """Make room for numbers up to this one."""
        if number >= len(self._place):
            room = np.full(max(number + 1, 2 * len(self._place)) - len(self._place), -1, np.intp)
            self._place = np.concatenate([self._place, room])

    def _take_in(self, missing: Numbers, stored: list[bytes | None]) -> None:
        start, stop = self._n, self._n + len(missing)
        if stop > len(self.rows):
            grown = np.empty((max(stop, 2 * len(self.rows)), self._view.width))
            grown[:start] = self.rows[:start]
            self.rows = grown
        self.rows[start:stop] = decode_rows(self._view, stored)
        self._place[missing] = np.arange(start, stop)
        self._n = stop

"""The rows that a folder has at hand: one matrix, and where each entity is in it."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from feature_store.online.rows import decode_rows
from feature_store.views import ROW_OFFSET, FeatureView

Load = Callable[[Sequence[str]], list[bytes | None]]
"""Rows of ids as the store has them; None where there is none."""


class RowCache:
    """Rows of one (view, partition), at most ``rows_max`` between two runs.

    Attributes
    ----------
    rows : (capacity, view.width) float64; only the places given out mean anything
    """

    def __init__(self, view: FeatureView, rows_max: int) -> None:
        self._view = view
        self._rows_max = rows_max
        self._places: dict[str, int] = {}
        self.rows: NDArray[np.float64] = np.empty((0, view.width))

    def __len__(self) -> int:
        return len(self._places)

    def places(self, ids: Sequence[str], load: Load) -> NDArray[np.intp]:
        """Index in :attr:`rows` of each id, (n,); rows not at hand are loaded, all in one call.

        Raises
        ------
        ValueError
            When a stored row has not the width of the view.
        """
        missing = [entity_id for entity_id in ids if entity_id not in self._places]
        if missing:
            self._take_in(missing, load(missing))
        return np.fromiter(map(self._places.__getitem__, ids), np.intp, len(ids))

    def trim(self) -> None:
        """Forget the rows folded longest ago when there are more than allowed; down to half of it."""
        n = len(self._places)
        if n <= self._rows_max:
            return
        keep = np.argsort(-self.rows[:n, ROW_OFFSET], kind="stable")[: self._rows_max // 2]
        ids = list(self._places)
        self._places = {ids[place]: new for new, place in enumerate(keep.tolist())}
        self.rows = self.rows[keep]

    def _take_in(self, ids: Sequence[str], stored: list[bytes | None]) -> None:
        start, stop = len(self._places), len(self._places) + len(ids)
        self._reserve(stop)
        self.rows[start:stop] = decode_rows(self._view, stored)
        self._places.update(zip(ids, range(start, stop), strict=True))

    def _reserve(self, n: int) -> None:
        if n > len(self.rows):
            grown = np.empty((max(n, 2 * len(self.rows)), self._view.width))
            grown[: len(self._places)] = self.rows[: len(self._places)]
            self.rows = grown

"""One epoch of what chance showed and what production chose, by place and item."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streams.feedback.presented_rows import PlacedRows
from streams.feedback.roster import NO_SLOT

Float64 = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ExplorationCells:
    """One epoch, (*runs, places, m) columns over the items that were shown in it.

    Attributes
    ----------
    item : (m,) slot of each item
    exploit_rows, exploit_clicks : counts of rows that production chose
    exploit_believed : sum of the click probabilities that it predicted for them
    explore_rows, explore_clicks, explore_believed : the same of rows that chance chose

    Raises
    ------
    ValueError
        When a count cannot be; the message names it.
    """

    item: NDArray[np.int64]
    exploit_rows: Float64
    exploit_clicks: Float64
    exploit_believed: Float64
    explore_rows: Float64
    explore_clicks: Float64
    explore_believed: Float64

    def __post_init__(self) -> None:
        shape = self.exploit_rows.shape
        if self.item.shape != shape[-1:]:
            raise ValueError("item: not one slot for each column of exploit_rows")
        for kind in ("exploit", "explore"):
            rows = getattr(self, f"{kind}_rows")
            for name in (f"{kind}_clicks", f"{kind}_believed"):
                counts = getattr(self, name)
                if rows.shape != shape or counts.shape != shape:
                    raise ValueError(f"{kind}_rows, {name}: shape is not that of exploit_rows")
                if ((counts < 0) | (counts > rows * (1 + 1e-9))).any():
                    raise ValueError(f"{name}: not within 0 and {kind}_rows")


def exploration_cells(rows: PlacedRows, slots: NDArray[np.int64], places: int) -> ExplorationCells:
    """The cells of rows at the first ``places``, those of items without a slot left out.

    Parameters
    ----------
    slots : (n,) of the rows' items
    """
    item, column = np.unique(slots[slots != NO_SLOT], return_inverse=True)
    at = np.zeros(len(slots), np.int64)
    at[slots != NO_SLOT] = rows.position[slots != NO_SLOT] * len(item) + column

    def summed(values: Float64, kind: NDArray[np.bool_]) -> Float64:
        chosen = kind & (slots != NO_SLOT)
        sums = np.bincount(at[chosen], values[chosen], minlength=places * len(item))
        return sums.reshape(places, len(item)).astype(np.float64)

    counts = [
        summed(values, kind)
        for kind in (~rows.explored, rows.explored)
        for values in (np.ones(len(slots)), rows.click, rows.predicted)
    ]
    return ExplorationCells(item, *counts)

"""The ids that came last, as a ring of hashes."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from feature_store.aggregators.base import Events, Float64, Rows


@dataclass(frozen=True)
class RecentIds:
    """The last ``k`` values of hash column ``column`` in the order of the log; repeats are kept.

    State: how many there were ever, then the ring (0: empty). It finalizes to the number held.
    """

    event: str
    column: str
    k: int

    def __post_init__(self) -> None:
        if self.k <= 0:
            raise ValueError(f"k must be positive, not {self.k}")

    @property
    def width(self) -> int:
        return 1 + self.k

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event,)

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.column,)

    def blank(self) -> Float64:
        return np.zeros(self.width)

    def update(self, state: Float64, events: Events) -> None:
        hashes = events.extra[self.column]
        present = ~np.isnan(hashes)
        index, hashes = events.index[present], hashes[present]
        number = state[index, 0].astype(np.int64) + _occurrence(index)
        state[index, 1 + number % self.k] = hashes
        np.add.at(state[:, 0], index, 1.0)

    def merge(self, left: Float64, right: Float64) -> Float64:
        merged = left.copy()
        for back in range(self.k, 0, -1):
            number = right[:, 0] - back
            rows = np.flatnonzero(number >= 0)
            at = (merged[rows, 0] + number[rows]).astype(np.int64) % self.k
            merged[rows, 1 + at] = right[rows, 1 + number[rows].astype(np.int64) % self.k]
        merged[:, 0] += right[:, 0]
        return merged

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        return np.minimum(state[:, 0], self.k)

    def newest_first(self, state: Float64) -> Float64:
        """(n, k) the hashes held, the newest first, then zeros."""
        number = state[:, :1].astype(np.int64) - 1 - np.arange(self.k)
        return np.where(number < 0, 0.0, np.take_along_axis(state[:, 1:], number % self.k, axis=1))


def _occurrence(index: Rows) -> NDArray[np.int64]:
    """(m,) how many earlier elements are equal to each."""
    order = np.argsort(index, kind="stable")
    ordered = index[order]
    starts = np.flatnonzero(np.concatenate(([True], ordered[1:] != ordered[:-1])))
    lengths = np.diff(np.append(starts, len(ordered)))
    occurrence = np.empty(len(index), np.int64)
    occurrence[order] = np.arange(len(index)) - np.repeat(starts, lengths)
    return occurrence

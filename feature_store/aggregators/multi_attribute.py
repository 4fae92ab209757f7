"""A multi-valued attribute: the hashes of the values that the newest event gave."""

from dataclasses import dataclass

import numpy as np

from feature_store.aggregators.base import Events, Float64
from feature_store.aggregators.last_value import NEVER, newest_of_each


@dataclass(frozen=True)
class MultiAttribute:
    """Up to ``k`` 53-bit hashes of attribute ``name``, as the newest ``event`` has them.

    At the same millisecond the later one in the log wins. State: event time in ms (−1: never), then
    the hashes, NaN-filled. It finalizes to the number of values.
    """

    event: str
    name: str
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
        return (f"attribute.{self.name}[{self.k}]",)

    def blank(self) -> Float64:
        return np.concatenate(([NEVER], np.full(self.k, np.nan)))

    def update(self, state: Float64, events: Events) -> None:
        values = events.extra[self.inputs[0]]
        present = np.flatnonzero(~np.isnan(values).all(axis=1))
        times = events.event_time_ms[present].astype(np.float64)
        at = present[newest_of_each(events.index[present], times)]
        rows = events.index[at]
        fresh = np.column_stack((events.event_time_ms[at].astype(np.float64), values[at]))
        state[rows] = self.merge(state[rows], fresh)

    def merge(self, left: Float64, right: Float64) -> Float64:
        return np.where((right[:, :1] >= left[:, :1]) & (right[:, :1] != NEVER), right, left)

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        return np.where(state[:, 0] == NEVER, np.nan, (~np.isnan(state[:, 1:])).sum(axis=1))

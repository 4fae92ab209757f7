"""The newest value by event time, and how long ago it was."""

from dataclasses import dataclass

import numpy as np

from feature_store.aggregators.base import Events, Float64, Rows

NEVER = -1.0


@dataclass(frozen=True)
class LastValue:
    """The value of the newest ``event``; of several at the same millisecond the largest.

    So the order of events is irrelevant. ``column`` names the batch column read (``value``, or an extra
    one such as ``attribute.age``); events without it change nothing. State: event time in ms (−1:
    never), value.
    """

    event: str
    column: str = "value"
    width = 2

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event,)

    @property
    def inputs(self) -> tuple[str, ...]:
        return () if self.column == "value" else (self.column,)

    def blank(self) -> Float64:
        return np.array([NEVER, np.nan])

    def update(self, state: Float64, events: Events) -> None:
        value = events.value if self.column == "value" else events.extra[self.column]
        present = ~np.isnan(value)
        index, time, value = (
            events.index[present],
            events.event_time_ms[present].astype(np.float64),
            value[present],
        )
        at = newest_of_each(index, value, time)
        rows = index[at]
        state[rows] = self.merge(state[rows], np.column_stack((time[at], value[at])))

    def merge(self, left: Float64, right: Float64) -> Float64:
        later = right[:, 0] > left[:, 0]
        tie = (right[:, 0] == left[:, 0]) & (right[:, 1] >= left[:, 1])
        return np.where((later | tie)[:, None], right, left)

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        return state[:, 1]


@dataclass(frozen=True)
class Age:
    """Seconds since the newest ``event``; NaN if there was none. State: its time in ms (−1: never)."""

    event: str
    width = 1
    inputs = ()

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event,)

    def blank(self) -> Float64:
        return np.array([NEVER])

    def update(self, state: Float64, events: Events) -> None:
        np.maximum.at(state[:, 0], events.index, events.event_time_ms.astype(np.float64))

    def merge(self, left: Float64, right: Float64) -> Float64:
        return np.maximum(left, right)

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        return finalize_ages(state[:, 0], now_ms, np.nan)


def newest_of_each(index: Rows, *keys: Float64) -> Rows:
    """Where the newest event of each row is, by the last key, then the one before it; of equals the last."""
    order = np.lexsort((*keys, index))
    ends = np.flatnonzero(np.diff(index[order], append=-1))
    return order[ends]


def finalize_ages(times_ms: Float64, now_ms: int, never: Float64 | float) -> Float64:
    """Seconds from ``times_ms`` to ``now_ms``; all shapes broadcast: one call serves many features."""
    return np.where(times_ms == NEVER, never, np.maximum(now_ms - times_ms, 0.0) / 1000.0)

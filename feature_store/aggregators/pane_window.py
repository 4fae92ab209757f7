"""Exact sliding windows as a ring of panes."""

from dataclasses import dataclass

import numpy as np

from feature_store.aggregators.base import Events, Float64


@dataclass(frozen=True)
class PaneWindow:
    """How often ``event`` happened in the last ``panes`` panes of ``pane_s`` seconds, this one included.

    State: the newest pane's number since the epoch, then the counts, pane ``p`` at slot ``p % panes``.
    A late event counts in its own pane while that is in the window.
    """

    event: str
    pane_s: int
    panes: int
    inputs = ()

    def __post_init__(self) -> None:
        if self.pane_s <= 0 or self.panes <= 0:
            raise ValueError(f"pane_s and panes must be positive, not {self.pane_s} and {self.panes}")

    @property
    def width(self) -> int:
        return 1 + self.panes

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event,)

    def blank(self) -> Float64:
        return np.zeros(self.width)

    def update(self, state: Float64, events: Events) -> None:
        pane = events.event_time_ms // (self.pane_s * 1000)
        np.maximum.at(newest := state[:, 0].copy(), events.index, pane.astype(np.float64))
        touched = events.index[newest[events.index] > state[events.index, 0]]
        state[touched] = self._advanced(state[touched], newest[touched])
        inside = pane > state[events.index, 0] - self.panes
        np.add.at(state, (events.index[inside], 1 + pane[inside] % self.panes), 1.0)

    def _advanced(self, state: Float64, newest: Float64) -> Float64:
        """The state with its window moved up to ``newest``: panes that fell out are emptied."""
        counts = np.where(self._pane_numbers(newest) > state[:, :1], 0.0, state[:, 1:])
        return np.column_stack((newest, counts))

    def _pane_numbers(self, newest: Float64) -> Float64:
        """(n, panes) number of the pane that each slot holds in a window that ends at ``newest``."""
        back = (newest[:, None] - np.arange(self.panes)) % self.panes
        numbers: Float64 = newest[:, None] - back
        return numbers

    def merge(self, left: Float64, right: Float64) -> Float64:
        newest = np.maximum(left[:, 0], right[:, 0])
        merged = self._advanced(left, newest)
        merged[:, 1:] += self._advanced(right, newest)[:, 1:]
        return merged

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        now = now_ms // (self.pane_s * 1000)
        window = np.arange(now - self.panes + 1, now + 1)
        wanted = np.empty(self.panes)
        wanted[window % self.panes] = window
        held = (wanted <= state[:, :1]).astype(np.float64)
        inside: Float64 = np.einsum("ij,ij->i", state[:, 1:], held)
        return inside

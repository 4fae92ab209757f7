"""What an aggregator is, and the events that it is handed."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Rows = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Events:
    """Events in log order, as columns.

    Attributes
    ----------
    index : (m,) row of the state that each event belongs to
    names, name : unique event names, and (m,) int32 which of them each event has
    event_time_ms : (m,) int64
    value : (m,) float64
    extra : column -> (m,) or (m, k) float64, NaN where absent
    """

    index: Rows
    names: Sequence[str]
    name: NDArray[np.int32]
    event_time_ms: NDArray[np.int64]
    value: Float64
    extra: Mapping[str, Float64] = field(default_factory=dict)

    def where(self, mask: NDArray[np.bool_]) -> "Events":
        """The events under ``mask``, in the same order."""
        return Events(
            self.index[mask],
            self.names,
            self.name[mask],
            self.event_time_ms[mask],
            self.value[mask],
            {column: values[mask] for column, values in self.extra.items()},
        )

    def named(self, wanted: Collection[str]) -> "Events":
        """The events of the names ``wanted``; ``interaction/*`` is every interaction."""
        chosen = np.array([is_among(name, wanted) for name in self.names], np.bool_)
        return self if chosen.all() else self.where(chosen[self.name])

    def __len__(self) -> int:
        return len(self.index)


def is_among(name: str, wanted: Collection[str]) -> bool:
    """Whether an event of this name is one of ``wanted``, where ``interaction/*`` is every interaction."""
    return name in wanted or (name.startswith("interaction/") and "interaction/*" in wanted)


class Aggregator(Protocol):
    """A summary of events that is kept as ``width`` float64 numbers an entity.

    ``update`` folds in log order, so that it makes no difference how events are cut into batches.
    Each is a frozen dataclass: its fields are its definition, and part of the view's fingerprint.
    """

    @property
    def width(self) -> int:
        """Numbers of state an entity."""

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events it folds: ``impression``, ``interaction/<action>``, ``user`` …"""

    @property
    def inputs(self) -> tuple[str, ...]:
        """Batch columns it reads beyond the fixed ones."""

    def blank(self) -> Float64:
        """(width,) state of an entity that nothing happened to."""

    def update(self, state: Float64, events: Events) -> None:
        """Fold ``events`` into ``state`` (n, width), in place."""

    def merge(self, left: Float64, right: Float64) -> Float64:
        """(n, width) state of two disjoint sets of events, ``right`` the later in the log."""

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        """(n,) what a model reads; NaN where there is nothing to say."""

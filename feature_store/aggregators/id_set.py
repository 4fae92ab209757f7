"""A set of ids that one event adds to and another takes from: the creators that a user blocks."""

from dataclasses import dataclass

import numpy as np

from feature_store.aggregators.base import Events, Float64


@dataclass(frozen=True)
class IdSet:
    """The last ``k`` hashes of ``column`` that ``add`` added and ``remove`` did not remove since.

    In the order of the log. These events are rare, so they are folded one at a time. State: ``k``
    slots, the oldest first, 0 where free. It finalizes to the number held. Two sets cannot be merged:
    what the later one removed is not in its state.
    """

    add: str
    remove: str
    column: str
    k: int

    def __post_init__(self) -> None:
        if self.k <= 0:
            raise ValueError(f"k must be positive, not {self.k}")

    @property
    def width(self) -> int:
        return self.k

    @property
    def events(self) -> tuple[str, ...]:
        return (self.add, self.remove)

    @property
    def inputs(self) -> tuple[str, ...]:
        return (self.column,)

    def blank(self) -> Float64:
        return np.zeros(self.k)

    def update(self, state: Float64, events: Events) -> None:
        adds = np.array([name == self.add for name in events.names])[events.name]
        for row, hashed, adds_it in zip(events.index, events.extra[self.column], adds, strict=True):
            if not np.isnan(hashed):
                held = [one for one in state[row].tolist() if one not in (0.0, hashed)]
                held = ([*held, hashed] if adds_it else held)[-self.k :]
                state[row] = np.pad(held, (0, self.k - len(held)))

    def merge(self, left: Float64, right: Float64) -> Float64:
        raise NotImplementedError("a set that forgets removals cannot be merged")

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        held: Float64 = (state != 0).sum(axis=1).astype(np.float64)
        return held

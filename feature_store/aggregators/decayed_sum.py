"""Exponentially decayed sums against a landmark (Cormode et al., "Forward decay", ICDE 2009).

The state is S = Σ v·2^((t−L)/H), decayed to *now* when it is read. The landmark L is a multiple of
64 half-lives: moving it multiplies S by a power of two, which rounds nothing. So late events are
exact, no sweeper is needed, and how events are cut into batches changes no bit (for events within
960 half-lives of each other; older ones are below 2^-960 of a new one).
"""

from dataclasses import dataclass

import numpy as np

from feature_store.aggregators.base import Events, Float64, Rows

QUANTUM_HALF_LIVES = 64


@dataclass(frozen=True)
class DecayedSum:
    """Sum of ``value`` (or of ones) of ``event``, each halved every ``half_life_s`` seconds.

    State: the sum at the landmark, and the landmark in quanta of 64 half-lives since the epoch.
    """

    event: str
    half_life_s: int
    of_value: bool = False
    width = 2
    inputs = ()

    def __post_init__(self) -> None:
        if self.half_life_s <= 0:
            raise ValueError(f"half_life_s must be positive, not {self.half_life_s}")

    @property
    def half_life_ms(self) -> int:
        return self.half_life_s * 1000

    @property
    def events(self) -> tuple[str, ...]:
        return (self.event,)

    def blank(self) -> Float64:
        return np.zeros(2)

    def update(self, state: Float64, events: Events) -> None:
        quantum_ms = QUANTUM_HALF_LIVES * self.half_life_ms
        quantum = events.event_time_ms // quantum_ms
        exponent = (events.event_time_ms - quantum * quantum_ms) / self.half_life_ms
        landmark = self._move_landmarks(state, events.index, quantum.astype(np.float64))
        shift = ((quantum - landmark) * QUANTUM_HALF_LIVES).astype(np.int64)
        weight = np.ldexp(np.exp2(exponent), np.maximum(shift, -4096).astype(np.int32))
        np.add.at(state[:, 0], events.index, events.value * weight if self.of_value else weight)

    def _move_landmarks(self, state: Float64, index: Rows, quantum: Float64) -> Float64:
        """Move each row's landmark to its newest event's; (m,) the landmark of each event's row."""
        before: Float64 = state[index, 1]
        if (quantum > before).any():
            sums = state[index, 0]
            np.maximum.at(state[:, 1], index, quantum)
            after: Float64 = state[index, 1]
            state[index, 0] = sums * _power_of_64(before - after)
            return after
        return before

    def merge(self, left: Float64, right: Float64) -> Float64:
        landmark = np.maximum(left[:, 1], right[:, 1])
        total = sum(part[:, 0] * _power_of_64(part[:, 1] - landmark) for part in (left, right))
        return np.column_stack((total, landmark))

    def finalize(self, state: Float64, now_ms: int) -> Float64:
        """The sum as of ``now_ms``, which must not be before the newest event: the sum would grow."""
        return finalize_decayed(state[:, 0], state[:, 1], np.float64(self.half_life_ms), np.float64(now_ms))


def finalize_decayed(
    sums: Float64, landmarks: Float64, half_life_ms: Float64 | np.float64, as_of_ms: Float64 | np.float64
) -> Float64:
    """Sums decayed to ``as_of_ms``; all shapes broadcast, so that one call serves many features."""
    age_ms = as_of_ms - landmarks * (QUANTUM_HALF_LIVES * half_life_ms)
    decayed: Float64 = sums * np.exp2(age_ms / -half_life_ms)
    return decayed


def _power_of_64(quanta: Float64) -> Float64:
    """2^(64·quanta), exact."""
    factor: Float64 = np.ldexp(1.0, np.maximum(quanta * QUANTUM_HALF_LIVES, -4096).astype(np.int32))
    return factor

"""Holds records back while another partition is behind them in time.

An impression must see the item events that were appended before it, also those of other
partitions. So a record waits while another assigned partition has records that were not read yet
and may be older, like Kafka Streams' ``max.task.idle.ms``: bounded in records, in bytes and in time.
"""

from collections.abc import Callable, Iterable

import numpy as np

from feature_store.clock import Clock
from streams.ingest.records import Run

AtEnd = Callable[[int], bool]
"""Whether everything that a partition is known to have was read."""


class Holdback:
    """Records that were read and not released yet.

    Parameters
    ----------
    max_held, max_held_bytes : more records than this, or larger ones, are never kept waiting
    max_hold_ms : nor longer than this
    clock : its monotonic time is used
    """

    def __init__(self, max_held: int, max_held_bytes: int, max_hold_ms: int, clock: Clock) -> None:
        self._max_held = max_held
        self._max_held_bytes = max_held_bytes
        self._max_hold_ns = max_hold_ms * 1_000_000
        self._clock = clock
        self._pending: dict[int, Run] = {}
        self._reached_ms: dict[int, int] = {}
        self._waiting_since_ns: int | None = None

    def __len__(self) -> int:
        return sum(map(len, self._pending.values()))

    def assign(self, partitions: Iterable[int]) -> None:
        """Forget everything; wait for these partitions from now on."""
        self._pending.clear()
        self._reached_ms = dict.fromkeys(partitions, -1)
        self._waiting_since_ns = None

    def add(self, run: Run) -> None:
        """Take in records that follow those of the same partition."""
        before = self._pending.get(run.partition)
        self._pending[run.partition] = before + run if before else run
        self._reached_ms[run.partition] = max(self._reached_ms[run.partition], *run.times_ms)

    def release(self, at_end: AtEnd) -> list[Run]:
        """The records that need not wait, in their order within each partition."""
        if not len(self):
            return []
        behind = [reached for partition, reached in self._reached_ms.items() if not at_end(partition)]
        released = self._release_up_to(min(behind)) if behind and not self._overdue() else self._release_all()
        self._note_waiting(bool(released))
        return released

    def _overdue(self) -> bool:
        if len(self) > self._max_held or self._held_bytes() > self._max_held_bytes:
            return True
        since = self._waiting_since_ns
        return since is not None and self._clock.monotonic_ns() - since >= self._max_hold_ns

    def _held_bytes(self) -> int:
        return sum(sum(map(len, filter(None, run.values))) for run in self._pending.values())

    def _note_waiting(self, moved: bool) -> None:
        if moved or self._waiting_since_ns is None:
            self._waiting_since_ns = self._clock.monotonic_ns() if self._pending else None

    def _release_all(self) -> list[Run]:
        released = list(self._pending.values())
        self._pending.clear()
        return released

    def _release_up_to(self, time_ms: int) -> list[Run]:
        ends = {partition: _count_up_to(run, time_ms) for partition, run in self._pending.items()}
        released = [self._pending[partition].cut(0, end) for partition, end in ends.items() if end]
        rest = {partition: self._pending[partition].cut(end) for partition, end in ends.items()}
        self._pending = {partition: run for partition, run in rest.items() if len(run)}
        return released


def _count_up_to(run: Run, time_ms: int) -> int:
    return int(np.searchsorted(run.rising_times_ms(), time_ms, side="right"))

"""Interactions as the join keeps them, and those that wait for their impression."""

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

OUTCOME_BYTES = 400
"""About what one interaction takes in memory."""

_WAITING_BYTES = 1200
"""About what one takes that waits, with what it is found by."""


class Outcome(NamedTuple):
    """An interaction, and the log time and offset of the message that brought it."""

    time_ms: int
    offset: int
    action: str
    value: float
    event_time_ms: int


class WaitingOutcomes:
    """Interactions that came before their impression; each waits for ``wait_ms`` of log time.

    Parameters
    ----------
    wait_ms : an impression later than this after the interaction is not what it answers
    """

    def __init__(self, wait_ms: int) -> None:
        self._wait_ms = wait_ms
        self._by_key: dict[str, deque[Outcome]] = {}
        self._in_order: deque[tuple[str, Outcome]] = deque()
        self._unclaimed = 0

    @property
    def nbytes(self) -> int:
        """About what those that still wait take in memory."""
        return _WAITING_BYTES * self._unclaimed

    @property
    def oldest_ms(self) -> float:
        """Log time of the oldest kept; infinite if there is none."""
        return self._in_order[0][1].time_ms if self._in_order else math.inf

    def add(self, key: str, outcome: Outcome) -> None:
        """Let ``outcome`` wait for the impression of ``key``; log times must not go back."""
        self._by_key.setdefault(key, deque()).append(outcome)
        self._in_order.append((key, outcome))
        self._unclaimed += 1

    def claim(self, key: str, impression_time_ms: int) -> list[Outcome]:
        """What waited for the impression that came at ``impression_time_ms``, in log order."""
        waiting = self._by_key.pop(key, deque())
        too_old: deque[Outcome] = deque()
        while waiting and waiting[0].time_ms + self._wait_ms < impression_time_ms:
            too_old.append(waiting.popleft())
        if too_old:
            self._by_key[key] = too_old
        self._unclaimed -= len(waiting)
        return list(waiting)

    def give_up(self, now_ms: int) -> list[Outcome]:
        """Those that have waited in vain until log time ``now_ms``."""
        orphans: list[Outcome] = []
        while self.oldest_ms + self._wait_ms < now_ms:
            orphans += self._drop_first()
        return orphans

    def forget_oldest(self) -> int:
        """Drop those of the oldest log time; the number that still waited."""
        oldest_ms, before = self.oldest_ms, self._unclaimed
        while self.oldest_ms == oldest_ms:
            self._drop_first()
        return before - self._unclaimed

    def awaited(self, keys: Sequence[str]) -> set[str]:
        """Those of ``keys`` that something waits for."""
        return self._by_key.keys() & set(keys) if self._by_key else set()

    def _drop_first(self) -> list[Outcome]:
        """The first one, if it still waited."""
        key, outcome = self._in_order.popleft()
        waiting = self._by_key.get(key)
        if not waiting or waiting[0] is not outcome:
            return []
        waiting.popleft()
        if not waiting:
            del self._by_key[key]
        self._unclaimed -= 1
        return [outcome]

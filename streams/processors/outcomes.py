"""Interactions as the join keeps them, and those that wait for their impression."""

from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

OUTCOME_BYTES = 400
"""About what one interaction takes in memory."""


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

    def __len__(self) -> int:
        return len(self._in_order)

    def add(self, key: str, outcome: Outcome) -> None:
        """Let ``outcome`` wait for the impression of ``key``; log times must not go back."""
        self._by_key.setdefault(key, deque()).append(outcome)
        self._in_order.append((key, outcome))

    def claim(self, key: str, impression_time_ms: int) -> list[Outcome]:
        """What waited for the impression that came at ``impression_time_ms``, in log order."""
        waiting = self._by_key.pop(key, deque())
        too_old: deque[Outcome] = deque()
        while waiting and waiting[0].time_ms + self._wait_ms < impression_time_ms:
            too_old.append(waiting.popleft())
        if too_old:
            self._by_key[key] = too_old
        return list(waiting)

    def give_up(self, now_ms: int) -> list[Outcome]:
        """Those that have waited in vain until log time ``now_ms``."""
        orphans = []
        while self._in_order and self._in_order[0][1].time_ms + self._wait_ms < now_ms:
            key, outcome = self._in_order.popleft()
            if self._unclaimed(key, outcome):
                orphans.append(outcome)
        return orphans

    def awaited(self, keys: Sequence[str]) -> set[str]:
        """Those of ``keys`` that something waits for."""
        return self._by_key.keys() & set(keys) if self._by_key else set()

    def _unclaimed(self, key: str, outcome: Outcome) -> bool:
        waiting = self._by_key.get(key)
        if not waiting or waiting[0] is not outcome:
            return False
        waiting.popleft()
        if not waiting:
            del self._by_key[key]
        return True

"""Messages that have arrived and wait to be processed, by partition, bounded in bytes."""

import asyncio
from typing import Generic, TypeVar

from faust.types import TP

M = TypeVar("M")


class Inbox(Generic[M]):
    """Filled by the agents, emptied as a whole by one loop: what piles up meanwhile is taken together.

    Parameters
    ----------
    bytes_max : an agent waits while more than this is pending
    """

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._pending: dict[TP, list[M]] = {}
        self._bytes = 0
        self._assignment = 0
        self._filled = asyncio.Event()
        self._room = asyncio.Event()
        self._room.set()

    async def put(self, tp: TP, message: M, nbytes: int) -> None:
        """Add a message when there is room; dropped if the partitions were assigned anew meanwhile."""
        assignment = self._assignment
        while not self._room.is_set():
            await self._room.wait()
        if assignment != self._assignment:
            return
        self._pending.setdefault(tp, []).append(message)
        self._bytes += nbytes
        self._filled.set()
        if self._bytes > self._bytes_max:
            self._room.clear()

    async def take(self) -> dict[TP, list[M]]:
        """All that is pending, each partition in order; waits until there is something."""
        await self._filled.wait()
        pending, self._pending = self._pending, {}
        self._reset()
        return pending

    def clear(self) -> None:
        """Forget everything: the partitions are being assigned anew."""
        self._assignment += 1
        self._pending = {}
        self._reset()

    def _reset(self) -> None:
        self._bytes = 0
        self._filled.clear()
        self._room.set()

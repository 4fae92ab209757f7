"""Starts processes in order, keeps them running, and stops them in the opposite order."""

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from eddyline.stack.keeper import Keeper
from eddyline.stack.process import Policy, Process, Status

Changed = Callable[[Sequence[Status]], None]


class Supervisor:
    """Runs processes until it is stopped.

    A process starts as soon as all that it comes after have been ready once; everything else runs at the
    same time. One that dies is started again, later and later while it keeps dying.

    Parameters
    ----------
    processes : names are unique, and `after` names others of them
    logs : folder of the log files, one per process
    policy : when to probe and when to start again
    changed : called with all statuses after every change

    Raises
    ------
    ValueError : if a process comes after one that is not there, or after itself by a circle
    """

    def __init__(self, processes: Sequence[Process], logs: Path, policy: Policy, changed: Changed) -> None:
        _check_order(processes)
        logs.mkdir(parents=True, exist_ok=True)
        self._report = changed
        self._keepers = {p.name: Keeper(p, logs / f"{p.name}.log", policy, self._changed) for p in processes}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    @property
    def statuses(self) -> list[Status]:
        """How each process is doing, in the order given."""
        return [keeper.status for keeper in self._keepers.values()]

    async def run(self, stop: asyncio.Event) -> None:
        """Run until ``stop`` is set, then end everything.

        Raises
        ------
        TaskFailedError : if a task exits with an error; everything is ended first
        OSError : if a program cannot be executed; everything is ended first
        """
        self._tasks = {
            name: asyncio.create_task(self._keep(keeper)) for name, keeper in self._keepers.items()
        }
        stopped = asyncio.create_task(stop.wait())
        try:
            await self._until_stopped_or_failed(stopped)
        finally:
            stopped.cancel()
            await self._end()

    async def _keep(self, keeper: Keeper) -> None:
        await keeper.keep([self._keepers[name] for name in keeper.process.after])

    async def _until_stopped_or_failed(self, stopped: asyncio.Task[bool]) -> None:
        running: set[asyncio.Task[object]] = {stopped, *self._tasks.values()}
        while not stopped.done():
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()

    async def _end(self) -> None:
        """End those first that nothing running comes after, so that workers drain into live parts."""
        remaining = dict(self._tasks)
        while remaining:
            needed = {name for other in remaining for name in self._keepers[other].process.after}
            leaves = [remaining.pop(name) for name in list(remaining) if name not in needed]
            for task in leaves:
                task.cancel()
            await asyncio.wait(leaves)

    def _changed(self) -> None:
        self._report(self.statuses)


def _check_order(processes: Sequence[Process]) -> None:
    waiting = {process.name: set(process.after) for process in processes}
    while waiting:
        free = {name for name, after in waiting.items() if not after}
        if not free:
            raise ValueError(f"these processes wait for each other or for one that is not there: {waiting}")
        waiting = {name: after - free for name, after in waiting.items() if name not in free}

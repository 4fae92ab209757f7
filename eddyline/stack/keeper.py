"""Keeps one process running: starts it, watches it, starts it again."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from eddyline.stack.child import Child
from eddyline.stack.patience import Patience
from eddyline.stack.process import Policy, Probe, Process, Status
from feature_store.clock import SystemClock

_TAIL_CHARACTERS = 2000


class TaskFailedError(Exception):
    """A task of the stack (one that must succeed once) exited with an error."""


class Keeper:
    """The life of one `Process` under supervision.

    Parameters
    ----------
    process : what to run
    log : file that its output is appended to
    policy : when to probe and when to start again
    changed : called after every change of :attr:`status`
    """

    def __init__(self, process: Process, log: Path, policy: Policy, changed: Callable[[], None]) -> None:
        self.process = process
        self.log = log
        self.status = Status(process.name)
        self.was_ready = asyncio.Event()
        self._policy = policy
        self._changed = changed
        self._began = 0.0

    async def keep(self, after: Sequence["Keeper"]) -> None:
        """Run until cancelled (or, for a task, until it has succeeded); on cancellation end the process.

        Raises
        ------
        TaskFailedError : if a task exits with an error
        """
        try:
            for earlier in after:
                await earlier.was_ready.wait()
            backoff_s = self._policy.first_backoff_s
            while not self._is_done(await self._live()):
                if self._was_stable():
                    backoff_s = self._policy.first_backoff_s
                await asyncio.sleep(backoff_s)
                backoff_s = min(2 * backoff_s, self._policy.longest_backoff_s)
                self._set(restarts=self.status.restarts + 1)
        except asyncio.CancelledError:
            self._set(phase="stopped", pid=None, reason=None)
            raise

    async def _live(self) -> int:
        """One life, from start to end; the exit status."""
        bound_log(self.log, self._policy.log_max_bytes)
        self._began = time.monotonic()
        child = await Child.start(self.process, self.log)
        self._set(phase="starting", pid=child.pid, started=child.started, reason=None, ready_after_s=None)
        watch = asyncio.create_task(self._watch(child))
        try:
            return await child.exited()
        finally:
            watch.cancel()
            await asyncio.wait([watch])
            await child.end()

    def _is_done(self, exit_status: int) -> bool:
        if self.process.ready is not None:
            self._set(phase="down", pid=None, reason=f"exited with status {exit_status}")
            return False
        if exit_status != 0:
            self._set(phase="down", pid=None, reason=f"exited with status {exit_status}")
            said = self.log.read_text(errors="replace")[-_TAIL_CHARACTERS:].strip()
            raise TaskFailedError(
                f"{self.process.name} exited with status {exit_status} ({self.log})\n{said}"
            )
        self._set(phase="done", pid=None)
        self.was_ready.set()
        return True

    def _was_stable(self) -> bool:
        return time.monotonic() - self._began > self._policy.stable_after_s

    async def _watch(self, child: Child) -> None:
        """Follow readiness and liveness; kill a child that does not start or whose loop is stuck."""
        if self.process.ready is None:
            return
        policy = self._policy
        patience = Patience(SystemClock(), policy.probe_every_s, policy.longest_turn_s, policy.silent_share)
        overslept_s = 0.0
        while True:
            reason, stuck = await self.process.ready(), await _ask(self.process.alive)
            was_ready = self._has_been_ready
            if reason is None and not was_ready:
                child.yield_to_others()
            self._note(reason, time.monotonic() - self._began)
            problem = stuck if was_ready else reason  # its start does not count against what comes after
            if patience.turn(problem, child.used_s, overslept_s) > self._patience_s:
                break
            bound_log(self.log, policy.log_max_bytes)
            overslept_s = await _oversleep(self._interval_s)
        with self.log.open("a") as log:
            log.write(f"killed by its supervisor: {problem}\n")
        child.kill()

    @property
    def _patience_s(self) -> float:
        return self._policy.stuck_after_s if self._has_been_ready else self._policy.start_within_s

    @property
    def _interval_s(self) -> float:
        quick = self._policy.probe_while_starting_every_s
        return self._policy.probe_every_s if self._has_been_ready else quick

    @property
    def _has_been_ready(self) -> bool:
        """Whether this life of the process has been ready."""
        return self.status.ready_after_s is not None

    def _note(self, reason: str | None, elapsed_s: float) -> None:
        if reason is None:
            first = self.status.ready_after_s
            self._set(phase="ready", reason=None, ready_after_s=elapsed_s if first is None else first)
            self.was_ready.set()
        else:
            self._set(phase="unready" if self._has_been_ready else "starting", reason=reason)

    def _set(self, **values: object) -> None:
        before = vars(self.status).copy()
        for name, value in values.items():
            setattr(self.status, name, value)
        if vars(self.status) != before:
            self._changed()


def bound_log(log: Path, max_bytes: int) -> None:
    """Move what a log holds to ``<log>.1`` once it is larger than ``max_bytes``; writers append on."""
    with contextlib.suppress(FileNotFoundError):
        if log.stat().st_size > max_bytes:
            log.with_name(log.name + ".1").write_bytes(log.read_bytes())
            log.write_bytes(b"")


async def _ask(probe: Probe | None) -> str | None:
    return None if probe is None else await probe()


async def _oversleep(interval_s: float) -> float:
    """Sleep; seconds by which it took longer than asked for."""
    began = time.monotonic()
    await asyncio.sleep(interval_s)
    return time.monotonic() - began - interval_s

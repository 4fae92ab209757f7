"""A running child: a process group of its own that cannot outlive the supervisor."""

import asyncio
import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from eddyline.stack.process import Process

_PR_SET_PDEATHSIG = 1


class Child:
    """One life of a `Process`, from its start to its end; made by :meth:`start`."""

    def __init__(self, process: Process, handle: asyncio.subprocess.Process) -> None:
        self._process = process
        self._handle = handle
        self.pid = handle.pid
        self.started = _start_time(handle.pid)

    @classmethod
    async def start(cls, process: Process, log: Path) -> "Child":
        """Start it with its output appended to ``log``; raises `OSError` if it cannot be executed."""
        with log.open("ab") as output:
            handle = await asyncio.create_subprocess_exec(
                *process.argv(),
                env=dict(process.env),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=_die_with_supervisor(),
            )
        return cls(process, handle)

    async def exited(self) -> int:
        """Wait for its end; the exit status, negative for a signal."""
        return await self._handle.wait()

    @property
    def used_s(self) -> float:
        """Processor time that it has used so far, seconds; 0 once it is gone."""
        with contextlib.suppress(psutil.NoSuchProcess):
            times = psutil.Process(self.pid).cpu_times()
            return float(times.user + times.system)
        return 0.0

    def yield_to_others(self) -> None:
        """Be nice from now on, as its `Process` says: within its session, and beside those of others.

        The second is needed where the kernel shares processors out by session first (sched(7), "The autogroup
        feature").
        """
        if (niceness := self._process.niceness) == 0:
            return
        with contextlib.suppress(OSError):  # it has ended, or the kernel knows no autogroups
            for thread in self._threads():
                os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + niceness)
            Path(f"/proc/{self.pid}/autogroup").write_text(str(niceness))

    def _threads(self) -> list[int]:
        if sys.platform != "linux":
            return [self.pid]
        return [int(thread.name) for thread in Path(f"/proc/{self.pid}/task").iterdir()]

    def kill(self) -> None:
        """Kill it and everything that it started."""
        kill_group(self.pid)

    async def end(self) -> None:
        """Ask it to stop, wait for it to drain, and leave nothing of its group behind."""
        if self._handle.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._handle.send_signal(self._process.stop_signal)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._handle.wait(), self._process.stop_grace_s)
        self.kill()
        await self._handle.wait()


def kill_group(pid: int) -> None:
    """Kill the process group that ``pid`` leads, if there is one."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def is_running(pid: int, started: float) -> bool:
    """Whether the process that started at ``started`` (seconds since the epoch) with ``pid`` still runs."""
    if not is_same(pid, started):
        return False
    try:
        return bool(psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False


def is_same(pid: int, started: float) -> bool:
    """Whether ``pid`` is still that process, dead but not yet waited for included, not a later one."""
    start_time = _start_time(pid)
    return start_time is not None and abs(start_time - started) < 1.0


def _start_time(pid: int) -> float | None:
    with contextlib.suppress(psutil.NoSuchProcess):
        return float(psutil.Process(pid).create_time())
    return None


def _die_with_supervisor() -> Callable[[], None] | None:
    """What a child runs before its program."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    supervisor = os.getpid()

    def prepare() -> None:
        prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            os._exit(1)

    return prepare

"""Ends a stack from outside: asks its supervisor, and clears away what a killed one left behind."""

import contextlib
import os
import signal
import time
from pathlib import Path

import psutil

from eddyline.stack.child import is_same, kill_group
from eddyline.stack.process import Status
from eddyline.stack.state import State, forget_state, read_state

_LOOK_EVERY_S = 0.05
_KILL_TAKES_S = 5.0


def stop_stack(home: Path, deadline_s: float) -> bool:
    """Stop the stack in ``home``; whether there was one.

    Its supervisor drains it within ``deadline_s`` seconds, or everything is killed.
    """
    state = read_state(home)
    if state is None:
        return False
    if state.supervised:
        _end_supervisor(state, deadline_s)
    sweep(home)
    return True


def sweep(home: Path) -> None:
    """Kill what a supervisor that did not end orderly left of the stack in ``home``."""
    state = read_state(home)
    if state is None:
        return
    for status in state.processes:
        _kill_session(status, home)
    forget_state(home)


def _end_supervisor(state: State, deadline_s: float) -> None:
    pid = state.supervisor_pid
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
        if not _ends_within(state, deadline_s):
            os.kill(pid, signal.SIGKILL)
            _ends_within(state, _KILL_TAKES_S)


def _ends_within(state: State, deadline_s: float) -> bool:
    """Wait for a process that is not our child, for which there is only looking again."""
    deadline = time.monotonic() + deadline_s
    while state.supervised and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    return not state.supervised


def _kill_session(status: Status, home: Path) -> None:
    """Every child leads a session; its members outlive it, and keep its number from being given away."""
    if status.pid is None or status.started is None:
        return
    if psutil.pid_exists(status.pid) and not is_same(status.pid, status.started):
        return
    members = [process for process in psutil.process_iter() if _belongs(process, status.pid, home)]
    if members:
        kill_group(status.pid)
        psutil.wait_procs(members, timeout=_KILL_TAKES_S)


def _belongs(process: psutil.Process, session: int, home: Path) -> bool:
    try:
        return os.getsid(process.pid) == session and process.environ().get("EDDYLINE_HOME") == str(home)
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess, psutil.AccessDenied):
        return False

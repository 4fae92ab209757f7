"""Ends a stack from outside: asks its supervisor, and clears away what a killed one left behind."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
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
        if not _becomes(lambda: not state.supervised, deadline_s):
            os.kill(pid, signal.SIGKILL)
            _becomes(lambda: not state.supervised, _KILL_TAKES_S)


def _becomes(condition: Callable[[], bool], deadline_s: float) -> bool:
    """Wait for what happens to processes that are not our children: there is only looking again."""
    deadline = time.monotonic() + deadline_s
    while not condition() and time.monotonic() < deadline:
        time.sleep(_LOOK_EVERY_S)
    return condition()


def _kill_session(status: Status, home: Path) -> None:
    """Every child leads a session; its members outlive it, and keep its number from being given away."""
    if status.pid is None or status.started is None:
        return
    if psutil.pid_exists(status.pid) and not is_same(status.pid, status.started):
        return
    session = status.pid
    if _members(session, home):
        kill_group(session)
        _becomes(lambda: not _members(session, home), _KILL_TAKES_S)


def _members(session: int, home: Path) -> list[psutil.Process]:
    return [process for process in psutil.process_iter() if _belongs(process, session, home)]


def _belongs(process: psutil.Process, session: int, home: Path) -> bool:
    """Whether it runs in the session, for this state folder; one that is dead has no environment."""
    try:
        return os.getsid(process.pid) == session and process.environ().get("EDDYLINE_HOME") == str(home)
    except (ProcessLookupError, PermissionError, psutil.NoSuchProcess, psutil.AccessDenied):
        return False

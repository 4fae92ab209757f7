"""Starts a stack in the background and waits until it is ready."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from eddyline.stack.process import Status
from eddyline.stack.run import NotReadyError, logs_folder
from eddyline.stack.state import AlreadyRunningError, State, read_state

ERROR_PREFIX = "eddyline: "
"""What an error at the terminal begins with."""

_LOOK_EVERY_S = 0.1
_TAIL_CHARACTERS = 2000


def start_detached(
    home: Path, changed: Callable[[Sequence[Status]], None], own: Mapping[str, str] = MappingProxyType({})
) -> State:
    """Start the stack of ``home`` with this process's settings; its state, once it is ready.

    Parameters
    ----------
    own : variables of the environment that only this stack has

    Raises
    ------
    AlreadyRunningError : if one runs there
    NotReadyError : if its supervisor ended before that; with the end of its log
    """
    running = read_state(home)
    if running is not None and running.supervised:
        raise AlreadyRunningError(f"a stack already runs in {home}: `eddyline status`")
    log = logs_folder(home) / "supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as output:
        supervisor = subprocess.Popen(
            [sys.executable, "-m", "eddyline.cli", "up"],
            env={**os.environ, **own, "EDDYLINE_HOME": str(home)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    while supervisor.poll() is None:
        state = read_state(home)
        if state is not None and state.supervisor_pid == supervisor.pid:
            changed(state.processes)
            if state.ready:
                return state
        time.sleep(_LOOK_EVERY_S)
    said = log.read_text(errors="replace")[-_TAIL_CHARACTERS:]
    raise NotReadyError(said.rpartition(ERROR_PREFIX)[2].strip())

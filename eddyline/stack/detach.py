"""Starts a stack in the background and waits until it, or the part of it that is needed, is ready."""

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


class Starting:
    """The stack of ``home``, with this process's settings, as it comes up in the background.

    Parameters
    ----------
    changed : called with all statuses while somebody waits
    own : variables of the environment that only this stack has

    Raises
    ------
    AlreadyRunningError : if one runs there
    """

    def __init__(
        self,
        home: Path,
        changed: Callable[[Sequence[Status]], None],
        own: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        running = read_state(home)
        if running is not None and running.supervised:
            raise AlreadyRunningError(f"a stack already runs in {home}: `eddyline status`")
        self._home = home
        self._changed = changed
        self._log = logs_folder(home) / "supervisor.log"
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("wb") as output:
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "eddyline.cli", "up"],
                env={**os.environ, **own, "EDDYLINE_HOME": str(home)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def wait(self, *kinds: str) -> State:
        """The stack's state, once all workers of these kinds are ready; without any, once everything is.

        Raises
        ------
        NotReadyError : if its supervisor ended before that; with the end of its log
        """
        while self._supervisor.poll() is None:
            state = read_state(self._home)
            if state is not None and state.supervisor_pid == self._supervisor.pid:
                self._changed(state.processes)
                if state.workers_ready(kinds) if kinds else state.ready:
                    return state
            time.sleep(_LOOK_EVERY_S)
        said = self._log.read_text(errors="replace")[-_TAIL_CHARACTERS:]
        raise NotReadyError(said.rpartition(ERROR_PREFIX)[2].strip())

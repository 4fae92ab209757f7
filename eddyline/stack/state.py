"""What a running stack leaves on disk for others to read: who supervises it, where it listens, how it is."""

import contextlib
import fcntl
import json
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from eddyline.stack.addresses import Addresses
from eddyline.stack.child import is_running
from eddyline.stack.process import Status


class AlreadyRunningError(Exception):
    """Another supervisor runs a stack with this state folder."""


class StateFolderError(OSError):
    """What lies in a state folder, or in its place, cannot be used."""


@dataclass(frozen=True)
class State:
    """A stack as its supervisor last wrote it down."""

    supervisor_pid: int
    supervisor_started: float
    addresses: Addresses
    processes: tuple[Status, ...]

    @property
    def supervised(self) -> bool:
        """Whether the supervisor that wrote this is still running."""
        return is_running(self.supervisor_pid, self.supervisor_started)

    @property
    def ready(self) -> bool:
        """Whether all processes are ready, and still the ones written down."""
        return self.supervised and all(status.ready and _still_there(status) for status in self.processes)

    def workers_ready(self, kinds: Collection[str]) -> bool:
        """Whether all workers of these kinds are ready, whatever else is not."""
        return self.supervised and all(
            status.ready for status in self.processes if status.name.rpartition("-")[0] in kinds
        )

    @property
    def pids(self) -> dict[str, int]:
        """Name → process id of what runs."""
        return {status.name: status.pid for status in self.processes if status.pid is not None}


def read_state(home: Path) -> State | None:
    """The state of the stack in ``home``; None if none was started or the last one ended orderly.

    Raises
    ------
    StateFolderError
        It cannot be read, or is not what a supervisor writes.
    """
    path = _path(home)
    try:
        return _decoded(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StateFolderError(f"EDDYLINE_HOME={home} cannot be used: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise StateFolderError(
            f"{path} is damaged ({type(error).__name__}: {error}): end what still runs of its stack, if any, "
            "then remove it"
        ) from error


def _decoded(content: bytes) -> State:
    written = json.loads(content)
    return State(
        written["supervisor_pid"],
        written["supervisor_started"],
        Addresses(**written["addresses"]),
        tuple(Status(**status) for status in written["processes"]),
    )


def write_state(home: Path, state: State) -> None:
    """Replace the state of the stack in ``home``, atomically."""
    new = _path(home).with_suffix(".new")
    new.write_text(json.dumps(asdict(state), indent=2))
    new.replace(_path(home))


def forget_state(home: Path) -> None:
    """Say that no stack runs in ``home``."""
    _path(home).unlink(missing_ok=True)


@contextlib.contextmanager
def owned(home: Path) -> Iterator[None]:
    """Be the only supervisor of ``home`` until the block, or this process, ends.

    Raises
    ------
    AlreadyRunningError : if another one runs
    StateFolderError : if ``home`` cannot be a folder
    """
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateFolderError(f"EDDYLINE_HOME={home} cannot be used: {error}") from error
    descriptor = os.open(home / "lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise AlreadyRunningError(f"a stack already runs in {home}: `eddyline status`") from None
    else:
        yield
    finally:
        os.close(descriptor)


def summary(state: State) -> dict[str, object]:
    """What `eddyline status --json` prints."""
    return {
        **asdict(state.addresses),
        "processes": state.pids,
        "ready": state.ready,
        "supervisor": state.supervisor_pid,
        "restarts": {status.name: status.restarts for status in state.processes},
        "not_ready": not_ready(state.processes),
    }


def not_ready(statuses: Sequence[Status]) -> dict[str, str]:
    """Name → why, of the processes that are not ready."""
    return {status.name: status.reason or status.phase for status in statuses if not status.ready}


def _still_there(status: Status) -> bool:
    return status.pid is None or (status.started is not None and is_running(status.pid, status.started))


def _path(home: Path) -> Path:
    return home / "state.json"

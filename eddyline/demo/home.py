"""The state folder of a demo: fresh at its start, gone at its end, and never somebody else's."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from eddyline.stack.sweep import stop_stack

_MARK = "demo"
_LOGS = "logs"


class FolderInUse(RuntimeError):  # noqa: N818  (a state of the world)
    """The state folder holds what is not a demo's to throw away."""


@contextmanager
def fresh_home(home: Path, deadline_s: float) -> Iterator[Path]:
    """Have ``home`` to oneself; at the end, stop the stack in it and keep only its logs.

    What a demo left behind that was killed is stopped and thrown away first.

    Parameters
    ----------
    home : state folder
    deadline_s : time that the stack has to stop

    Raises
    ------
    FolderInUse
        When ``home`` holds the state of a stack that is not a demo's.
    """
    if _holds_a_stack(home) and not (home / _MARK).exists():
        raise FolderInUse(
            f"{home} holds the state of a stack, and the demo begins with an empty one:"
            " give it another folder, EDDYLINE_HOME=<folder>"
        )
    _clear(home, deadline_s)
    shutil.rmtree(home / _LOGS, ignore_errors=True)
    home.mkdir(parents=True, exist_ok=True)
    (home / _MARK).write_text(f"{os.getpid()}\n")
    try:
        yield home
    finally:
        _clear(home, deadline_s)


def _holds_a_stack(home: Path) -> bool:
    return home.is_dir() and any(entry.name != _LOGS for entry in home.iterdir())


def _clear(home: Path, deadline_s: float) -> None:
    if not home.is_dir():
        return
    stop_stack(home, deadline_s)
    for entry in home.iterdir():
        if entry.name == _LOGS:
            continue
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()

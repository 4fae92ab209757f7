"""Tells a person at a terminal how the start of a stack goes, a line per change that matters."""

from collections.abc import Callable, Sequence

from rich.console import Console

from eddyline.stack.process import Status

_SHOWN = {"ready": "[green]ready[/]", "done": "[green]done[/]", "down": "[red]down[/]", "stopped": "stopped"}


class Progress:
    """Prints a line when a process becomes ready, dies or has been stopped.

    Parameters
    ----------
    when_ready : called once, the first time that all are ready
    """

    def __init__(self, console: Console, when_ready: Callable[[], None] | None = None) -> None:
        self._console = console
        self._when_ready = when_ready
        self._last: dict[str, str] = {}

    def __call__(self, statuses: Sequence[Status]) -> None:
        """Take note of how the processes are now."""
        for status in statuses:
            if self._last.get(status.name, "waiting") != status.phase and status.phase in _SHOWN:
                self._console.print(
                    f"  {status.name:<14} {_SHOWN[status.phase]}{_detail(status)}", highlight=False
                )
            self._last[status.name] = status.phase
        if self._when_ready is not None and all(status.ready for status in statuses):
            self._when_ready()
            self._when_ready = None


def _detail(status: Status) -> str:
    if status.phase == "down":
        return f"  {status.reason}"
    return f"  after {status.ready_after_s:.1f} s" if status.phase == "ready" else ""

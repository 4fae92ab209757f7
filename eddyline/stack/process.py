"""What the supervisor knows of a process: how to start it, when it is ready, how to end it."""

import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field


class NoAnswer(str):
    """The reason of a probe that got no answer: the process itself said nothing."""


Probe = Callable[[], Awaitable[str | None]]
"""Asks a process how it is: None when well, else the reason why not. Never raises."""


@dataclass(frozen=True)
class Process:
    """One process of the stack.

    Parameters
    ----------
    name : unique in its stack; names its log file
    argv : the command line, asked for anew at each start
    env : its whole environment
    ready : whether it can do its work; None for a task: ready once it has exited with status 0, never
        started again
    after : names of the processes that must have been ready once before it starts
    alive : whether its main loop turns; None: only its exit tells
    stop_grace_s : seconds that it has to drain after `stop_signal`, before it is killed
    niceness : 0 to 19, once it has been ready; what can wait leaves the processor to what people wait for
    """

    name: str
    argv: Callable[[], Sequence[str]]
    env: Mapping[str, str]
    ready: Probe | None = None
    after: tuple[str, ...] = ()
    alive: Probe | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_grace_s: float = 10.0
    niceness: int = 0


@dataclass
class Status:
    """How one process is doing, as the supervisor last saw it.

    `phase` is ``waiting`` (for those it starts after), ``starting``, ``ready``, ``unready`` (was ready, is
    not now), ``down`` (died, about to be started again), ``done`` (a task that succeeded) or ``stopped``.
    """

    name: str
    phase: str = "waiting"
    reason: str | None = None
    pid: int | None = None
    started: float | None = None
    restarts: int = 0
    ready_after_s: float | None = None

    @property
    def ready(self) -> bool:
        """Whether nothing has to be waited for."""
        return self.phase in ("ready", "done")


@dataclass(frozen=True)
class Policy:
    """When a process is probed, given up and started again; seconds."""

    first_backoff_s: float = 0.2
    longest_backoff_s: float = 10.0
    stable_after_s: float = 30.0
    probe_every_s: float = 1.0
    probe_while_starting_every_s: float = 0.2
    start_within_s: float = 120.0
    stuck_after_s: float = 20.0
    log_max_bytes: int = field(default=64 * 1024 * 1024)
    longest_turn_s: float = 6.0
    silent_share: float = 0.2

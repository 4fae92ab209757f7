"""What goes wrong while a request runs, and how long its stages take."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import ParamSpec, TypeVar

from feature_store.clock import Clock
from ranker.pipeline.outcome import Failure

P = ParamSpec("P")
T = TypeVar("T")
U = TypeVar("U")


class Journal:
    """One request's notes.

    Parameters
    ----------
    clock : its monotonic time measures the stages

    Attributes
    ----------
    degraded : what the answer is made without, each once, in the order in which it happened
    failures : the errors behind it
    stage_ms : stage -> milliseconds
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.degraded: list[str] = []
        self.failures: list[Failure] = []
        self.stage_ms: dict[str, float] = {}

    def note(self, note: str) -> None:
        """Say that something is missing."""
        if note not in self.degraded:
            self.degraded.append(note)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure what is done inside."""
        begun_ns = self._clock.monotonic_ns()
        yield
        self.stage_ms[name] = (self._clock.monotonic_ns() - begun_ns) / 1e6

    def attempt(
        self, what: str, otherwise: U, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs
    ) -> T | U:
        """The call's answer, or ``otherwise`` and a note where it raises."""
        try:
            return call(*args, **kwargs)
        except Exception as error:  # noqa: BLE001  (a component that fails must not fail the request)
            note = f"{what}_late" if isinstance(error, TimeoutError) else f"{what}_unavailable"
            self.note(note)
            self.failures.append(Failure(note, f"{type(error).__name__}: {error}"))
            return otherwise

"""Time as an argument: the wall clock and one that tests turn by hand."""

import time
from typing import Protocol


class Clock(Protocol):
    """A source of the present."""

    def now_ms(self) -> int:
        """Milliseconds since the Unix epoch, UTC."""

    def monotonic_ns(self) -> int:
        """Nanoseconds on a clock that never goes back."""


class SystemClock:
    """The machine's clocks."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def monotonic_ns(self) -> int:
        return time.monotonic_ns()


class ManualClock:
    """A clock that moves only when told to."""

    def __init__(self, now_ms: int = 1_700_000_000_000) -> None:
        self._now_ms = now_ms
        self._monotonic_ns = 0

    def now_ms(self) -> int:
        return self._now_ms

    def monotonic_ns(self) -> int:
        return self._monotonic_ns

    def advance(self, elapsed_ms: int) -> None:
        """Move both clocks forward by ``elapsed_ms`` milliseconds."""
        self._now_ms += elapsed_ms
        self._monotonic_ns += elapsed_ms * 1_000_000

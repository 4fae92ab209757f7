"""A circuit breaker: what has failed several times in a row is left alone for a moment."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager

from feature_store.clock import Clock


class CircuitOpen(RuntimeError):  # noqa: N818  (a state of the world)
    """It has failed too often just now; it was not asked."""


class Breaker:
    """Opens after ``failures`` in a row and lets one call through every ``rest_ms``.

    Parameters
    ----------
    clock : its monotonic time is used
    failures : failures in a row that open it
    rest_ms : how long it stays open
    """

    def __init__(self, clock: Clock, failures: int = 3, rest_ms: float = 500.0) -> None:
        self._clock = clock
        self._failures = failures
        self._rest_ns = int(rest_ms * 1e6)
        self._failed: dict[Hashable, int] = {}
        self._retry_ns = 0

    @contextmanager
    def guard(self, what: Hashable) -> Iterator[None]:
        """Count the failures of ``what``; another one than before begins at zero.

        Raises
        ------
        CircuitOpen
            It is open for ``what``.
        """
        self._pass_or_refuse(what)
        try:
            yield
        except Exception:
            self._failed = {what: self._failed.get(what, 0) + 1}
            self._retry_ns = self._clock.monotonic_ns() + self._rest_ns
            raise
        self._failed = {}

    def _pass_or_refuse(self, what: Hashable) -> None:
        failed = self._failed.get(what, 0)
        if failed < self._failures:
            return
        now_ns = self._clock.monotonic_ns()
        if now_ns < self._retry_ns:
            raise CircuitOpen(f"{what} failed {failed} times in a row")
        self._retry_ns = now_ns + self._rest_ns

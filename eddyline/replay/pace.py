"""Holds a stream of events down to a given rate."""

from collections.abc import Callable

from feature_store.clock import Clock


class Pace:
    """Lets ``rate`` events pass a second, from the first call on; everything at once without a rate.

    Parameters
    ----------
    rate : events a second; None: as fast as they come
    clock : monotonic time
    sleep : waits for so many seconds
    """

    def __init__(self, rate: float | None, clock: Clock, sleep: Callable[[float], None]) -> None:
        self._rate = rate
        self._clock = clock
        self._sleep = sleep
        self._began_ns: int | None = None
        self._passed = 0

    def wait(self, events: int) -> None:
        """Return when it is time for the next ``events`` events."""
        now_ns = self._clock.monotonic_ns()
        if self._began_ns is None:
            self._began_ns = now_ns
        if self._rate is not None:
            ahead_s = self._passed / self._rate - (now_ns - self._began_ns) / 1e9
            if ahead_s > 0:
                self._sleep(ahead_s)
        self._passed += events

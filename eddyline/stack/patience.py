"""For how long a process has been unwell, as far as its watcher was awake to see it."""

from feature_store.clock import Clock


class Patience:
    """Adds up the time in which every answer of a process was bad.

    On a machine that is starved the watcher sleeps longer than it asked to, and what it watches cannot answer
    either: killing that would add its start to the load. Such a turn counts for nothing, and no turn for more
    than one can take.

    Parameters
    ----------
    clock : its monotonic time is used
    late_s : a watcher that overslept by more was not scheduled on time
    longest_turn_s : what one turn counts at most
    """

    def __init__(self, clock: Clock, late_s: float, longest_turn_s: float) -> None:
        self._clock = clock
        self._late_s = late_s
        self._longest_turn_s = longest_turn_s
        self._turned_ns = clock.monotonic_ns()
        self._unwell_s = 0.0

    def turn(self, well: bool, overslept_s: float) -> float:
        """Take in one answer; seconds that the process has been unwell for."""
        now_ns = self._clock.monotonic_ns()
        elapsed_s, self._turned_ns = (now_ns - self._turned_ns) / 1e9, now_ns
        if well:
            self._unwell_s = 0.0
        elif overslept_s <= self._late_s:
            self._unwell_s += min(elapsed_s, self._longest_turn_s)
        return self._unwell_s

"""For how long a process has been unwell, as far as its watcher was awake to see it."""

from eddyline.stack.process import NoAnswer
from feature_store.clock import Clock


class Patience:
    """Adds up the time in which a process was unwell, turn by turn.

    On a machine that is starved the watcher sleeps longer than it asked to, and what it watches cannot answer
    either: killing that would add its start to the load. So a turn for which the watcher overslept counts for
    nothing, and no turn for more than one can take. A turn without an answer counts for the processor time
    that the process got in it: much if it spins, little if it is starved. One that gets none at all may be
    deadlocked or stopped; that is why such a turn counts for a share of its length at least.

    Parameters
    ----------
    clock : its monotonic time is used
    late_s : a watcher that overslept by more was not scheduled on time
    longest_turn_s : what one turn counts at most
    silent_share : what a turn without an answer counts at least, of its length
    """

    def __init__(self, clock: Clock, late_s: float, longest_turn_s: float, silent_share: float) -> None:
        self._clock = clock
        self._late_s = late_s
        self._longest_turn_s = longest_turn_s
        self._silent_share = silent_share
        self._turned_ns = clock.monotonic_ns()
        self._used_s = 0.0
        self._unwell_s = 0.0

    def turn(self, problem: str | None, used_s: float, overslept_s: float) -> float:
        """Take in one turn; seconds that the process has been unwell for.

        Parameters
        ----------
        problem : None when it is well
        used_s : processor time that the process has used since it was started
        overslept_s : by which the watcher woke up late
        """
        now_ns = self._clock.monotonic_ns()
        lasted_s, self._turned_ns = (now_ns - self._turned_ns) / 1e9, now_ns
        ran_s, self._used_s = used_s - self._used_s, used_s
        if problem is None:
            self._unwell_s = 0.0
        elif overslept_s <= self._late_s:
            lasted_s = min(lasted_s, self._longest_turn_s)
            silent = isinstance(problem, NoAnswer)
            self._unwell_s += min(lasted_s, max(ran_s, self._silent_share * lasted_s)) if silent else lasted_s
        return self._unwell_s

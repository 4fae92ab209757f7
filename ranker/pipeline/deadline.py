"""One deadline, shared by all stages of a request."""

from feature_store.clock import Clock


class Deadline:
    """Counts down from the moment it is made.

    Parameters
    ----------
    clock : its monotonic time is used
    budget_ms : time allowed in all, milliseconds
    """

    def __init__(self, clock: Clock, budget_ms: float) -> None:
        self._clock = clock
        self._end_ns = clock.monotonic_ns() + int(budget_ms * 1e6)

    def remaining_ms(self) -> float:
        """Milliseconds left; negative when it is over."""
        return (self._end_ns - self._clock.monotonic_ns()) / 1e6

    def within(self, at_most_ms: float) -> "Deadline":
        """That of a part of the work: in ``at_most_ms``, or with this one if that is sooner."""
        return Deadline(self._clock, self.allow_ms(at_most_ms))

    def allow_ms(self, at_most_ms: float) -> float:
        """What a stage may take: ``at_most_ms``, or what is left if that is less; never negative."""
        return max(0.0, min(at_most_ms, self.remaining_ms()))

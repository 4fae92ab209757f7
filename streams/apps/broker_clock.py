"""The broker's time, told from the stamps of what was read from it."""

from collections.abc import Hashable

from feature_store.clock import Clock


class BrokerClock:
    """A `Clock` that is never ahead of the broker's, whatever the time on this machine.

    When a message is read, the broker's clock shows its stamp or later; from then on as much more as has
    passed here. Before the first message the time is 0: nothing is known.

    Of logs that are read one after the other, as after a restart, some lag behind: the one that is furthest
    tells the time. Of each log its last stamp counts, so that a broker whose clock was put back is followed.

    Parameters
    ----------
    clock : tells how much has passed
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._started_ms: dict[Hashable, int] = {}

    def saw(self, log: Hashable, stamp_ms: int) -> None:
        """Take in the stamp of the message of ``log`` that was read just now."""
        self._started_ms[log] = stamp_ms - self._elapsed_ms()

    def now_ms(self) -> int:
        """What the broker's clock shows at least, ms since the Unix epoch."""
        if not self._started_ms:
            return 0
        return max(self._started_ms.values()) + self._elapsed_ms()

    def monotonic_ns(self) -> int:
        """That of this machine."""
        return self._clock.monotonic_ns()

    def _elapsed_ms(self) -> int:
        return self._clock.monotonic_ns() // 1_000_000

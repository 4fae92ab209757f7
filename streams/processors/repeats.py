"""When impressions of exposures already known were repeated last."""

import math
from collections import OrderedDict

from streams.processors.join_keys import KEY_BYTES


class Repeats:
    """The keys repeated in the last ``late_ms`` of log time, which must not go back.

    Parameters
    ----------
    late_ms : how long after a repeat another impression repeats it
    """

    def __init__(self, late_ms: int) -> None:
        self._late_ms = late_ms
        self._last_ms: OrderedDict[str, int] = OrderedDict()

    @property
    def nbytes(self) -> int:
        """About what this takes in memory."""
        return KEY_BYTES * len(self._last_ms)

    @property
    def oldest_ms(self) -> float:
        """Log time of the oldest repeat; infinite if there is none."""
        return next(iter(self._last_ms.values()), math.inf)

    def note(self, key: str, time_ms: int) -> None:
        """An impression of ``key`` was repeated."""
        self._last_ms[key] = time_ms
        self._last_ms.move_to_end(key)

    def near(self, key: str, time_ms: int) -> bool:
        """Whether an impression at ``time_ms`` repeats a repeat of ``key``."""
        last_ms = self._last_ms.get(key) if self._last_ms else None
        return last_ms is not None and time_ms <= last_ms + self._late_ms

    def forget(self, now_ms: int) -> None:
        """Drop what nothing repeats any more at log time ``now_ms``."""
        while self.oldest_ms < now_ms - self._late_ms:
            self._last_ms.popitem(last=False)

    def forget_oldest(self) -> int:
        """Drop the repeats of the oldest log time; their number."""
        oldest_ms, before = self.oldest_ms, len(self._last_ms)
        while self.oldest_ms == oldest_ms:
            self._last_ms.popitem(last=False)
        return before - len(self._last_ms)

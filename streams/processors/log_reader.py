"""Follows one of the join's logs: that nothing is missing, how far its time has come, where to read again."""

from collections import deque
from collections.abc import Iterable

from streams.processors.join_checkpoint import LogFloor, LogPosition
from streams.processors.start import CannotStart, TopicIdentity


class LogReader:
    """One log, from ``next_offset`` on.

    Log time never goes back: a message stamped earlier than what was known before it counts as of then,
    and does so again whenever it is read again.

    Parameters
    ----------
    floors : of the checkpoint from which the log is read, see `floors`
    """

    def __init__(
        self, topic: TopicIdentity, partition: int, next_offset: int, floors: Iterable[LogFloor] = ()
    ) -> None:
        self.topic = topic
        self.next_offset = next_offset
        self.time_ms = 0
        self._partition = partition
        self._recent: deque[tuple[int, int, dict[int, int]]] = deque()
        self._passed: deque[LogFloor] = deque()
        self._ahead = deque(floors)

    def take(self, offset: int, stamp_ms: int, high_water: dict[int, int]) -> int:
        """Step over the message at ``offset``; its log time.

        Parameters
        ----------
        high_water : source partition -> last offset seen before this message

        Raises
        ------
        CannotStart
            When it is not the message that comes next.
        """
        if offset != self.next_offset:
            place = f"{self.topic.name}[{self._partition}]"
            raise CannotStart(f"{place}: message {self.next_offset} comes next, {offset} came")
        self.next_offset += 1
        while self._ahead and self._ahead[0].offset <= offset:
            self.quiet_until(self._ahead.popleft().time_ms)
        if stamp_ms < self.time_ms:
            self._keep_floor(offset)
        self.quiet_until(stamp_ms)
        self._recent.append((self.time_ms, offset, high_water))
        return self.time_ms

    def quiet_until(self, time_ms: int) -> None:
        """Nothing comes any more that is stamped before ``time_ms``."""
        self.time_ms = max(self.time_ms, time_ms)

    def position(self, since_ms: int, high_water: dict[int, int]) -> tuple[LogPosition, dict[int, int]]:
        """Where to read again to see everything since ``since_ms``, with the high water before it.

        Parameters
        ----------
        high_water : the present one, for when nothing has to be read again
        """
        while self._recent and self._recent[0][0] < since_ms:
            self._recent.popleft()
        _, offset, before = self._recent[0] if self._recent else (0, self.next_offset, high_water)
        while self._passed and self._passed[0].offset < offset:
            self._passed.popleft()
        floors = (*self._passed, *self._ahead)
        return LogPosition(
            self.topic.topic_id, self.topic.partitions, offset, self._unread_offset, floors
        ), before

    @property
    def _unread_offset(self) -> int:
        """First message never read, by who owned the partition before neither."""
        return max(self.next_offset, self._ahead[-1].offset) if self._ahead else self.next_offset

    def _keep_floor(self, offset: int) -> None:
        """Its stamp does not tell the log time of the message at ``offset``; the floor before it may."""
        if not self._passed or self._passed[-1].time_ms < self.time_ms:
            self._passed.append(LogFloor(offset, self.time_ms))

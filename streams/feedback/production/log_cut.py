"""Cuts several logs at one moment of log time, so that what is before it is the same in every replay."""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from streams.processors.start import CannotStart

Place = tuple[str, int]
"""Topic and partition."""


@dataclass(frozen=True, slots=True, order=True)
class LogMessage:
    """A message, with the time at which it counts: that of its log, never going back, plus a delay."""

    time_ms: int
    topic: str
    partition: int
    offset: int
    payload: bytes


class _Log:
    def __init__(self, next_offset: int, delay_ms: int) -> None:
        self.read_offset = next_offset
        self.next_offset = next_offset
        self.time_ms = 0
        self.delay_ms = delay_ms
        self.waiting: deque[LogMessage] = deque()

    def before(self, cut_ms: int) -> Iterator[LogMessage]:
        while self.waiting and self.waiting[0].time_ms < cut_ms:
            message = self.waiting.popleft()
            self.next_offset = message.offset + 1
            yield message


class LogCut:
    """Holds messages until all logs have been read past a cut.

    Parameters
    ----------
    next_offsets : of each log, the first message that no cut has taken yet
    delays_ms : topic -> what is added to the times of its messages
    """

    def __init__(self, next_offsets: Mapping[Place, int], delays_ms: Mapping[str, int]) -> None:
        self._logs = {
            place: _Log(offset, delays_ms.get(place[0], 0)) for place, offset in next_offsets.items()
        }

    def take(self, place: Place, offset: int, stamp_ms: int, payload: bytes) -> None:
        """Take in a message with its Kafka timestamp; one that was read before is left out.

        Raises
        ------
        CannotStart
            When a message is missing before it.
        """
        log = self._logs[place]
        if offset < log.read_offset:
            return
        if offset > log.read_offset:
            raise CannotStart(f"{place[0]}[{place[1]}]: message {log.read_offset} comes next, {offset} came")
        log.read_offset += 1
        log.time_ms = max(log.time_ms, stamp_ms + log.delay_ms)
        log.waiting.append(LogMessage(log.time_ms, *place, offset, payload))

    def quiet(self, place: Place, until_ms: int) -> None:
        """A log has been read to its end, and nothing stamped before ``until_ms`` comes any more."""
        log = self._logs[place]
        log.time_ms = max(log.time_ms, until_ms + log.delay_ms)

    def complete(self, cut_ms: int) -> bool:
        """Whether everything before ``cut_ms`` has been read."""
        return all(log.time_ms >= cut_ms for log in self._logs.values())

    def before(self, cut_ms: int) -> list[LogMessage]:
        """The messages before ``cut_ms`` that no cut has taken yet, in an order of their own."""
        return sorted(message for log in self._logs.values() for message in log.before(cut_ms))

    def first_ms(self) -> int | None:
        """Time of the earliest message that waits; None where none does."""
        return min((log.waiting[0].time_ms for log in self._logs.values() if log.waiting), default=None)

    def next_offsets(self) -> dict[Place, int]:
        """Of each log, the first message that no cut has taken yet."""
        return {place: log.next_offset for place, log in self._logs.items()}

    def read_offsets(self) -> dict[Place, int]:
        """Of each log, the message to be read next."""
        return {place: log.read_offset for place, log in self._logs.items()}

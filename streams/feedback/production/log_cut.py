"""Cuts several logs at one moment of log time, so that what is before it is the same in every replay."""

from collections import Counter, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import msgspec

from streams.processors.start import CannotStart

Place = tuple[str, int]
"""Topic and partition."""

DOUBTED_MS = 5 * 60_000
"""A stamp that is further ahead of its log is doubted: the clock of a broker may have jumped."""

BELIEVED_AFTER_MS = 60 * 60_000
"""Doubted stamps are believed once they have gone on for so long: a wrong clock is put right before."""

Misstamped = Counter[str]
"""Messages by what was wrong with their stamps: far `ahead` of one that came after them, or far `behind`."""


@dataclass(frozen=True, slots=True, order=True)
class LogMessage:
    """A message, with the time at which it counts: that of its log, never going back, plus a delay."""

    time_ms: int
    topic: str
    partition: int
    offset: int
    payload: bytes


class Judged(msgspec.Struct, frozen=True):
    """What whoever goes on with a log has to know of its stamps.

    Attributes
    ----------
    time_ms : of the last message that a cut has taken; 0: none
    offset : first message whose stamp is not judged yet
    put_back : offset -> time, of messages before that, not taken yet, whose stamp is not their time
    """

    time_ms: int = 0
    offset: int = 0
    put_back: dict[int, int] = {}


class _Log:
    """One log: what no cut has taken yet, and how far its stamps can be relied on.

    A stamp that is far ahead is doubted until its log says which it is: a clock that was wrong, when what
    follows is stamped as before, or a pause, when stamps stay there. Only the log itself is asked, so that
    the answer does not depend on how far other logs were read.
    """

    def __init__(self, next_offset: int, delay_ms: int, judged: Judged) -> None:
        self.read_offset = next_offset
        self.next_offset = next_offset
        self.delay_ms = delay_ms
        self.time_ms = self.taken_ms = judged.time_ms
        self.before_us = judged
        self.put_back: dict[int, int] = {}
        self.waiting: deque[LogMessage] = deque()
        self.doubted: list[LogMessage] = []
        self.furthest_ms = 0

    def take(self, message: LogMessage) -> Misstamped:
        """Lay it behind the others; whose stamps are known by it to be wrong."""
        if message.offset < self.before_us.offset:
            self._judge_again(message)
            return Counter()
        behind = message.time_ms < self.time_ms - DOUBTED_MS
        if self.doubted or (self.time_ms and message.time_ms > self.time_ms + DOUBTED_MS):
            ahead = self._put_back(message.time_ms)
            self._doubt(message)
            lasted_ms = message.time_ms - self.doubted[0].time_ms
            if message.time_ms <= self.time_ms + DOUBTED_MS or lasted_ms >= BELIEVED_AFTER_MS:
                for each in self._let_go():
                    self._wait(each)
            return Counter(ahead=ahead, behind=int(behind))
        self._wait(message)
        return Counter(behind=int(behind))

    def quiet(self, time_ms: int) -> None:
        if self.doubted and self.doubted[0].time_ms <= time_ms + DOUBTED_MS:
            for message in self._let_go():
                if self.doubted or message.time_ms > time_ms + DOUBTED_MS:
                    self._doubt(message)
                else:
                    self._wait(message)
        self.time_ms = max(self.time_ms, time_ms)

    def before(self, cut_ms: int) -> Iterator[LogMessage]:
        while self.waiting and self.waiting[0].time_ms < cut_ms:
            message = self.waiting.popleft()
            self.next_offset = message.offset + 1
            self.taken_ms = message.time_ms
            self.put_back.pop(message.offset, None)
            yield message

    def judged(self) -> Judged:
        offset = self.doubted[0].offset if self.doubted else self.read_offset
        put_back = {each: time_ms for each, time_ms in self.put_back.items() if each < offset}
        return Judged(self.taken_ms, max(offset, self.before_us.offset), put_back)

    def _judge_again(self, message: LogMessage) -> None:
        time_ms = self.before_us.put_back.get(message.offset)
        if time_ms is not None:
            self.put_back[message.offset] = time_ms
            message = replace(message, time_ms=time_ms)
        self._wait(message)

    def _put_back(self, time_ms: int) -> int:
        """What is doubted and far ahead of a later message was there before it: it counts as of then."""
        if not self.doubted or self.furthest_ms <= time_ms + DOUBTED_MS:
            return 0
        doubted, ahead = self._let_go(), 0
        for message in doubted:
            if message.time_ms > time_ms + DOUBTED_MS:
                self.put_back[message.offset] = time_ms
                self._doubt(replace(message, time_ms=time_ms))
                ahead += 1
            else:
                self._doubt(message)
        return ahead

    def _doubt(self, message: LogMessage) -> None:
        self.doubted.append(message)
        self.furthest_ms = max(self.furthest_ms, message.time_ms)

    def _let_go(self) -> list[LogMessage]:
        doubted, self.doubted, self.furthest_ms = self.doubted, [], 0
        return doubted

    def _wait(self, message: LogMessage) -> None:
        self.time_ms = max(self.time_ms, message.time_ms)
        self.waiting.append(replace(message, time_ms=self.time_ms))


class LogCut:
    """Holds messages until all logs have been read past a cut.

    Parameters
    ----------
    next_offsets : of each log, the first message that no cut has taken yet
    delays_ms : topic -> what is added to the times of its messages
    judged : of each log, what :meth:`judged` gave; without it its first stamp is believed
    """

    def __init__(
        self,
        next_offsets: Mapping[Place, int],
        delays_ms: Mapping[str, int],
        judged: Mapping[Place, Judged] | None = None,
    ) -> None:
        known = judged or {}
        self._logs = {
            place: _Log(offset, delays_ms.get(place[0], 0), known.get(place, Judged()))
            for place, offset in next_offsets.items()
        }

    def take(self, place: Place, offset: int, stamp_ms: int, payload: bytes) -> Misstamped:
        """Take in a message with its Kafka timestamp; one that was read before is left out.

        Returns
        -------
        messages that were found to be misstamped: those `ahead` of this one count as of it, one that is
        `behind` its log as of those before it

        Raises
        ------
        CannotStart
            When a message is missing before it.
        """
        log = self._logs[place]
        if offset < log.read_offset:
            return Counter()
        if offset > log.read_offset:
            raise CannotStart(f"{place[0]}[{place[1]}]: message {log.read_offset} comes next, {offset} came")
        log.read_offset += 1
        return log.take(LogMessage(stamp_ms + log.delay_ms, *place, offset, payload))

    def quiet(self, place: Place, until_ms: int) -> None:
        """A log has been read to its end, and nothing stamped before ``until_ms`` comes any more."""
        log = self._logs[place]
        log.quiet(until_ms + log.delay_ms)

    def doubts(self, place: Place) -> bool:
        """Whether the last stamp of a log is so far ahead that it may be a wrong clock's."""
        return bool(self._logs[place].doubted)

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

    def judged(self) -> dict[Place, Judged]:
        """Of each log, what is known of the stamps of what comes next."""
        return {place: log.judged() for place, log in self._logs.items()}

    def read_offsets(self) -> dict[Place, int]:
        """Of each log, the message to be read next."""
        return {place: log.read_offset for place, log in self._logs.items()}

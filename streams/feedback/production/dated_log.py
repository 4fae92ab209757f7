"""One log, each of whose messages gets the time at which it counts, whatever the clocks that stamped them."""

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import msgspec

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


class DatedLog:
    """What no cut has taken yet, and how far its stamps can be relied on.

    A stamp that is far ahead is doubted until its log says which it is: a clock that was wrong, when what
    follows is stamped as before, or a pause, when stamps stay there. Only the log itself is asked, so that
    the answer does not depend on how far other logs were read.

    Parameters
    ----------
    next_offset : of the first message that no cut has taken yet
    delay_ms : that was added to the times of its messages
    judged : what is known of their stamps

    Attributes
    ----------
    read_offset : of the message to be read next
    time_ms : before which nothing comes any more
    doubted : messages behind those that wait for a cut, the first of which is far ahead
    """

    def __init__(self, next_offset: int, delay_ms: int, judged: Judged) -> None:
        self.read_offset = next_offset
        self.next_offset = next_offset
        self.delay_ms = delay_ms
        self.time_ms = self.taken_ms = judged.time_ms
        self.earlier = judged
        self.put_back: dict[int, int] = {}
        self.waiting: deque[LogMessage] = deque()
        self.doubted: list[LogMessage] = []
        self.furthest_ms = 0

    def take(self, message: LogMessage) -> Misstamped:
        """Lay it behind the others; whose stamps are known by it to be wrong."""
        if message.offset < self.earlier.offset:
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
        """All was read, and nothing stamped before ``time_ms`` comes any more: it is no jump to be there."""
        if self.doubted and self.doubted[0].time_ms <= time_ms + DOUBTED_MS:
            for message in self._let_go():
                if self.doubted or message.time_ms > time_ms + DOUBTED_MS:
                    self._doubt(message)
                else:
                    self._wait(message)
        self.time_ms = max(self.time_ms, time_ms)

    def before(self, cut_ms: int) -> Iterator[LogMessage]:
        """The messages before ``cut_ms``, which are taken by this."""
        while self.waiting and self.waiting[0].time_ms < cut_ms:
            message = self.waiting.popleft()
            self.next_offset = message.offset + 1
            self.taken_ms = message.time_ms
            self.put_back.pop(message.offset, None)
            yield message

    def judged(self) -> Judged:
        """What another has to know that goes on at ``next_offset``."""
        offset = self.doubted[0].offset if self.doubted else self.read_offset
        put_back = {each: time_ms for each, time_ms in self.put_back.items() if each < offset}
        return Judged(self.taken_ms, max(offset, self.earlier.offset), put_back)

    def _judge_again(self, message: LogMessage) -> None:
        time_ms = self.earlier.put_back.get(message.offset)
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

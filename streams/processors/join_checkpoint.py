"""Where the exposure join goes on after a restart: what it has decided, and from where it reads again."""

from collections import deque

import msgspec

from feature_store.schema.topics import FEEDBACK
from streams.processors.start import CannotStart, LogBounds, TopicIdentity


class LogPosition(msgspec.Struct, frozen=True):
    """How far one partition has been read.

    Attributes
    ----------
    topic_id, partitions : what the offsets belong to
    reread_offset : first message that may still matter
    next_offset : first message never read
    """

    topic_id: str
    partitions: int
    reread_offset: int
    next_offset: int


class JoinCheckpoint(msgspec.Struct, frozen=True):
    """One partition's state, as references into the logs.

    Attributes
    ----------
    source_high_water : of the feedback before ``feedback.reread_offset``
    decided_to_ms : every decision due before this log time has been written
    """

    feedback: LogPosition
    served: LogPosition
    source_high_water: dict[int, int]
    decided_to_ms: int

    def position(self, topic: str) -> LogPosition:
        """How far `batches.feedback` or `rank.served` has been read."""
        return self.feedback if topic == FEEDBACK else self.served


encode_checkpoint = msgspec.json.Encoder().encode
decode_checkpoint = msgspec.json.Decoder(JoinCheckpoint).decode


def first_offset(
    position: LogPosition | None,
    topic: TopicIdentity,
    partition: int,
    log: LogBounds,
    *,
    accept_loss: bool = False,
) -> int:
    """Offset of the message to read first.

    Parameters
    ----------
    accept_loss : begin with what the log holds where the checkpoint does not fit it

    Raises
    ------
    CannotStart
        When the checkpoint is of another topic id or partition count, or the log no longer holds (or
        does not yet hold) the first message never read.
    """
    if position is None:
        return log.start
    problem = _misfit(position, topic, log)
    if problem and not accept_loss:
        raise CannotStart(
            f"{topic.name}[{partition}]: {problem}; exposures of what is missing cannot be made: to go on "
            "with what the log holds, start the join once with EDDYLINE_JOIN_ACCEPT_LOSS=true"
        )
    return log.start if problem else max(position.reread_offset, log.start)


def _misfit(position: LogPosition, topic: TopicIdentity, log: LogBounds) -> str | None:
    if position.topic_id != topic.topic_id:
        return f"the checkpoint is of topic id {position.topic_id}, the broker's is {topic.topic_id}"
    if position.partitions != topic.partitions:
        return f"the checkpoint is of {position.partitions} partitions, the topic has {topic.partitions}"
    if position.next_offset < log.start:
        return f"read up to offset {position.next_offset}, but the log begins at {log.start}"
    if position.next_offset > log.end:
        return f"read up to offset {position.next_offset}, but the log ends at {log.end}"
    return None


class LogReader:
    """Follows one log: that nothing is missing, how far its time has come, from where to read again.

    Log time never goes back: a message stamped earlier than what was known before it counts as of then.
    """

    def __init__(self, topic: TopicIdentity, partition: int, next_offset: int) -> None:
        self.topic = topic
        self.next_offset = next_offset
        self.time_ms = 0
        self._partition = partition
        self._recent: deque[tuple[int, int, dict[int, int]]] = deque()

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
        return LogPosition(self.topic.topic_id, self.topic.partitions, offset, self.next_offset), before

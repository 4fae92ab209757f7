"""Where the exposure join goes on after a restart: what it has decided, and from where it reads again."""

import msgspec

from feature_store.schema.topics import FEEDBACK
from streams.processors.start import CannotStart, LogBounds, TopicIdentity


class LogFloor(msgspec.Struct, frozen=True, array_like=True):
    """From the message at ``offset`` on, none counts as of before the log time ``time_ms``."""

    offset: int
    time_ms: int


class LogPosition(msgspec.Struct, frozen=True):
    """How far one partition has been read.

    Attributes
    ----------
    topic_id, partitions : what the offsets belong to
    reread_offset : first message that may still matter
    next_offset : first message never read
    floors : of the messages between these two, where their stamps do not tell their log times
    """

    topic_id: str
    partitions: int
    reread_offset: int
    next_offset: int
    floors: tuple[LogFloor, ...] = ()


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


def floors(checkpoint: JoinCheckpoint | None, topic: str, log: LogBounds) -> list[LogFloor]:
    """What bounds the log times of the messages to be read.

    Those that were read before count as of the same time again; those that were not are later than what
    was decided, whatever their stamps.
    """
    if checkpoint is None:
        return []
    position = checkpoint.position(topic)
    unread = LogFloor(position.next_offset, checkpoint.decided_to_ms)
    return [LogFloor(min(floor.offset, log.end), floor.time_ms) for floor in (*position.floors, unread)]


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

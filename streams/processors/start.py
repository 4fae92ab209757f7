"""Whether, and where, a partition can go on from what the store knows of it."""

from dataclasses import dataclass

from feature_store.online.base import Checkpoint


class CannotStart(RuntimeError):  # noqa: N818  (says what to do, to a person)
    """Going on would lose or repeat events; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class TopicIdentity:
    """What makes the offsets of a topic mean what they meant: Kafka's id of it and its partition count."""

    name: str
    topic_id: str
    partitions: int


@dataclass(frozen=True, slots=True)
class LogBounds:
    """Offsets of the first message that a partition still holds and of the next that it will get."""

    start: int
    end: int


def start_offset(
    checkpoint: Checkpoint | None,
    topic: TopicIdentity,
    partition: int,
    log: LogBounds,
    *,
    accept_incomplete: bool = False,
) -> int:
    """Offset of the batch to fold first.

    Parameters
    ----------
    accept_incomplete : whether a view that has no checkpoint may begin at a log whose beginning is gone

    Raises
    ------
    CannotStart
        When the checkpoint was made for another topic id or partition count, when the log no longer
        holds (or does not yet hold) what comes next.
    """
    place = f"{topic.name}[{partition}]"
    if checkpoint is None:
        if log.start > 0 and not accept_incomplete:
            raise CannotStart(
                f"{place} begins at offset {log.start} and the store has no checkpoint: the store lost "
                "its data (restore it), or this view is new (set EDDYLINE_FEATURES_ACCEPT_INCOMPLETE=true to "
                "count from there)"
            )
        return log.start
    _same_topic(checkpoint, topic, place)
    if checkpoint.next_offset < log.start:
        raise CannotStart(
            f"{place} is folded up to offset {checkpoint.next_offset}, but its log begins at {log.start}: "
            f"retention removed batches that were never folded; {_REBUILD}"
        )
    if checkpoint.next_offset > log.end:
        raise CannotStart(
            f"{place} is folded up to offset {checkpoint.next_offset}, but its log ends at {log.end}: the "
            f"broker lost acknowledged batches; {_REBUILD}"
        )
    return checkpoint.next_offset


_REBUILD = "rebuild the rows from the log (runbook: rebuild-rows)"


def _same_topic(checkpoint: Checkpoint, topic: TopicIdentity, place: str) -> None:
    if checkpoint.topic_id != topic.topic_id:
        raise CannotStart(
            f"{place}: the checkpoint is of topic id {checkpoint.topic_id}, the broker has {topic.topic_id}: "
            f"the topic was deleted and made anew; {_REBUILD}"
        )
    if checkpoint.partitions != topic.partitions:
        raise CannotStart(
            f"{place}: the checkpoint is of {checkpoint.partitions} partitions, the topic has "
            f"{topic.partitions}: ids have moved between partitions; {_REBUILD}"
        )

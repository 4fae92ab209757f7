"""Dead letters, read back from their topic."""

from collections.abc import Iterator
from dataclasses import dataclass

from confluent_kafka import Message

from feature_store.schema.topics import DEAD_LETTER
from feature_store.settings import Settings
from feature_store.topic_log import log_bounds, log_reader, read_log


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was refused: why, which field, from where, and its bytes as they arrived.

    ``partition`` and ``offset`` are the letter's own, in `events.dead-letter`.
    """

    partition: int
    offset: int
    reason: str
    field: str
    message: str
    source_partition: int
    source_offset: int
    time_ms: int
    key: bytes | None
    value: bytes | None
    truncated: bool

    def summary(self) -> dict[str, object]:
        """All but the bytes, of which the first 200 are shown as text."""
        return {
            "reason": self.reason,
            "field": self.field,
            "message": self.message,
            "source_partition": self.source_partition,
            "source_offset": self.source_offset,
            "time_ms": self.time_ms,
            "truncated": self.truncated,
            "value": (self.value or b"")[:200].decode(errors="replace"),
        }


def read_dead_letters(settings: Settings, reason: str | None = None) -> Iterator[DeadLetter]:
    """Every dead letter that is in the topic now, oldest first in each partition, each source once.

    Parameters
    ----------
    settings : where Kafka is
    reason : only those refused for this reason

    Raises
    ------
    confluent_kafka.KafkaException
        When the topic cannot be read.
    """
    consumer = log_reader(settings, "deadletters")
    try:
        seen: set[tuple[int, int]] = set()
        # The end as it is now: what a replay adds is not read, so it cannot run after itself.
        messages = read_log(consumer, DEAD_LETTER, log_bounds(consumer, DEAD_LETTER))
        for letter in map(decode_dead_letter, messages):
            source = (letter.source_partition, letter.source_offset)
            if source not in seen and reason in (None, letter.reason):
                yield letter
            seen.add(source)
    finally:
        consumer.close()


def decode_dead_letter(message: Message) -> DeadLetter:
    """The dead letter in a message of its topic."""
    headers = dict(message.headers() or [])
    return DeadLetter(
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        reason=_text(headers.get("reason")),
        field=_text(headers.get("field")),
        message=_text(headers.get("message")),
        source_partition=int(_text(headers.get("source_partition")) or -1),
        source_offset=int(_text(headers.get("source_offset")) or -1),
        time_ms=message.timestamp()[1],
        key=message.key(),
        value=message.value(),
        truncated="truncated_from_bytes" in headers,
    )


def _text(header: str | bytes | None) -> str:
    return header.decode(errors="replace") if isinstance(header, bytes) else (header or "")

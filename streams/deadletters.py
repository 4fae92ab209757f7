"""Dead letters, read back from their topic and sent to `events` again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from feature_store.schema.topics import DEAD_LETTER, EVENTS
from feature_store.settings import Settings, kafka_client_config
from streams.ingest.gapless import GaplessProducer
from streams.ingest.outbound import Outbound

_BATCH = 1_000
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was refused: why, which field, from where, and its bytes as they arrived."""

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
    consumer = Consumer(
        {
            **kafka_client_config(settings),
            "group.id": "eddyline-deadletters",  # required by the client; nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
        }
    )
    try:
        seen: set[tuple[int, int]] = set()
        for letter in map(_decode, _messages(consumer)):
            source = (letter.source_partition, letter.source_offset)
            if source not in seen and reason in (None, letter.reason):
                yield letter
            seen.add(source)
    finally:
        consumer.close()


def replay_dead_letters(settings: Settings, letters: Iterable[DeadLetter]) -> tuple[int, int]:
    """Send the bytes of dead letters to `events` again, under the key they had.

    Returns
    -------
    How many the broker acknowledged, and how many were left out because only their beginning is kept.
    """
    producer = GaplessProducer(settings, waiting=lambda: None)
    sent = left_out = 0
    for letter in letters:
        if letter.truncated:
            left_out += 1
            continue
        producer.produce(Outbound(EVENTS, letter.value, key=letter.key))
        sent += 1
    producer.flush()
    return sent, left_out


def _messages(consumer: Consumer) -> Iterator[Message]:
    """The messages up to the end as it is now, so that what a replay adds is not read."""
    ends = _ends(consumer)
    consumer.assign([TopicPartition(DEAD_LETTER, number, low) for number, (low, _) in ends.items()])
    unfinished = {number for number, (low, high) in ends.items() if high > low}
    while unfinished:
        for message in consumer.consume(_BATCH, 0.5):
            number, offset = _position(message)
            if message.error() is None and offset < ends[number][1]:
                yield message
            if message.error() is not None or offset + 1 >= ends[number][1]:
                unfinished.discard(number)


def _position(message: Message) -> tuple[int, int]:
    error = message.error()
    if error is not None and error.code() != KafkaError._PARTITION_EOF:
        raise KafkaException(error)
    return message.partition() or 0, message.offset() or 0


def _ends(consumer: Consumer) -> dict[int, tuple[int, int]]:
    metadata = consumer.list_topics(DEAD_LETTER, timeout=_TIMEOUT_S).topics[DEAD_LETTER]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return {
        number: consumer.get_watermark_offsets(TopicPartition(DEAD_LETTER, number), timeout=_TIMEOUT_S)
        for number in metadata.partitions
    }


def _decode(message: Message) -> DeadLetter:
    headers = dict(message.headers() or [])
    return DeadLetter(
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

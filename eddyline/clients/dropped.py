"""What ingest refused or dropped while we were watching."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import cast

from confluent_kafka import Consumer, Message, TopicPartition

from eddyline.clients.kafka import quiet_client_config
from eddyline.clients.metrics import read_metric
from feature_store.schema.topics import DEAD_LETTER
from feature_store.settings import Settings

DUPLICATES = "eddyline_ingest_duplicates_total"
_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class DeadLetter:
    """A refused message: why, the field at fault, what its producer is told, and its first bytes."""

    reason: str
    field: str
    message: str
    value: bytes


class DeadLetterWatch:
    """Follows `events.dead-letter` from the moment it is made.

    Attributes
    ----------
    by_reason : how many so far, by reason
    examples : the latest one of each reason
    """

    def __init__(self, settings: Settings) -> None:
        self.by_reason: Counter[str] = Counter()
        self.examples: dict[str, DeadLetter] = {}
        self._consumer = Consumer(
            {**quiet_client_config(settings), "group.id": "eddyline-watch", "enable.auto.commit": False}
        )
        self._consumer.assign([self._end_of(number) for number in self._partitions()])

    def look(self, timeout_s: float = 0.05) -> None:
        """Take in what has arrived since; waits up to ``timeout_s`` for something."""
        while messages := self._consumer.consume(1000, timeout_s):
            self._take(message for message in messages if message.error() is None)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _take(self, messages: Iterable[Message]) -> None:
        for message in messages:
            letter = _dead_letter(message)
            self.by_reason[letter.reason] += 1
            self.examples[letter.reason] = letter

    def _partitions(self) -> Iterable[int]:
        metadata = self._consumer.list_topics(DEAD_LETTER, timeout=_TIMEOUT_S).topics[DEAD_LETTER]
        return list(metadata.partitions)

    def _end_of(self, number: int) -> TopicPartition:
        where = TopicPartition(DEAD_LETTER, number)
        _, end = self._consumer.get_watermark_offsets(where, timeout=_TIMEOUT_S)
        return TopicPartition(DEAD_LETTER, number, end)


def duplicates(metrics_urls: Iterable[str]) -> int:
    """How many duplicates the ingest workers at ``metrics_urls`` have dropped since they started."""
    return int(sum(read_metric(url, DUPLICATES) for url in metrics_urls))


def _dead_letter(message: Message) -> DeadLetter:
    named = cast(list[tuple[str, bytes | None]], message.headers() or [])
    headers = {name: (value or b"").decode(errors="replace") for name, value in named}
    return DeadLetter(
        headers.get("reason", "?"),
        headers.get("field", ""),
        headers.get("message", ""),
        (message.value() or b"")[:200],
    )

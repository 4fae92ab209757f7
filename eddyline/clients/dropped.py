"""What ingest refused or dropped while we were watching."""

from collections import Counter
from collections.abc import Iterable

from confluent_kafka import Consumer, Message, TopicPartition

from eddyline.clients.kafka import quiet_client_config
from eddyline.clients.metrics import read_metric
from feature_store.schema.topics import DEAD_LETTER
from feature_store.settings import Settings
from feature_store.topic_log import log_bounds
from streams.deadletters import DeadLetter, decode_dead_letter

DUPLICATES = "eddyline_ingest_duplicates_total"


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
        ends = log_bounds(self._consumer, DEAD_LETTER).items()
        self._consumer.assign([TopicPartition(DEAD_LETTER, number, end) for number, (_, end) in ends])

    def look(self, timeout_s: float = 0.05) -> None:
        """Take in what has arrived since; waits up to ``timeout_s`` for something."""
        while messages := self._consumer.consume(1000, timeout_s):
            self._take(message for message in messages if message.error() is None)

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

    def _take(self, messages: Iterable[Message]) -> None:
        for message in messages:
            letter = decode_dead_letter(message)
            self.by_reason[letter.reason] += 1
            self.examples[letter.reason] = letter


def duplicates(metrics_urls: Iterable[str]) -> int:
    """How many duplicates the ingest workers at ``metrics_urls`` have dropped since they started."""
    return int(sum(read_metric(url, DUPLICATES) for url in metrics_urls))

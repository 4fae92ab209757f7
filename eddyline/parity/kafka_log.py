"""The logs that parity is checked on, read from Kafka."""

from collections.abc import Callable, Iterator

from confluent_kafka import Consumer

from feature_store.schema.topics import RANK_SERVED
from feature_store.settings import Settings
from feature_store.topic_log import Bounds, log_bounds, log_reader, read_log


class KafkaLog:
    """Reads any topic; every question raises `confluent_kafka.KafkaException` without an answer.

    Parameters
    ----------
    beat : called with every message, so that a long read can be told from a stuck one
    """

    def __init__(self, settings: Settings, beat: Callable[[], None] = lambda: None) -> None:
        self._consumer: Consumer = log_reader(settings, "parity")
        self._beat = beat

    def bounds(self, topic: str) -> Bounds:
        """Where each partition begins and ends now."""
        return log_bounds(self._consumer, topic)

    def read(self, topic: str, bounds: Bounds) -> Iterator[tuple[int, int, bytes]]:
        """(partition, offset, payload) of each message within ``bounds``, each partition in order."""
        for message in read_log(self._consumer, topic, bounds):
            self._beat()
            yield message.partition() or 0, message.offset() or 0, message.value() or b""

    def newest_served(self, messages: int) -> Bounds:
        """The last ``messages`` of each partition of `rank.served`."""
        return {
            partition: (max(first, end - messages), end)
            for partition, (first, end) in self.bounds(RANK_SERVED).items()
        }

    def close(self) -> None:
        """Leave the broker."""
        self._consumer.close()

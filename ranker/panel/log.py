"""Writes `score.panel`."""

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from feature_store.schema.panel import PanelRows, encode_panel
from feature_store.schema.topics import SCORE_PANEL
from feature_store.settings import Settings, gapless_producer_config


class KafkaPanelLog:
    """A `PanelLog` that keeps messages in order, or raises `confluent_kafka.KafkaException`."""

    def __init__(self, settings: Settings) -> None:
        self._producer = Producer(gapless_producer_config(settings))
        self._failure: KafkaError | None = None

    def publish(self, partition: int, rows: PanelRows) -> None:
        """See `PanelLog.publish`."""
        self._producer.produce(
            SCORE_PANEL, encode_panel(rows), partition=partition, on_delivery=self._delivered
        )

    def flush(self) -> None:
        """See `PanelLog.flush`."""
        while self._producer.flush(1.0):
            self._check()
        self._check()

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        self._failure = self._failure or error

    def _check(self) -> None:
        if self._failure is not None:
            raise KafkaException(self._failure)

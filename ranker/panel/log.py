"""Writes `score.panel`."""

from feature_store.gapless import GaplessProducer
from feature_store.outbound import Outbound
from feature_store.schema.panel import PanelRows, encode_panel
from feature_store.schema.topics import SCORE_PANEL
from feature_store.settings import Settings


class KafkaPanelLog:
    """A `PanelLog` that keeps messages in order, or raises `confluent_kafka.KafkaException`."""

    def __init__(self, settings: Settings) -> None:
        self._producer = GaplessProducer(settings, waiting=lambda: None)

    def publish(self, partition: int, rows: PanelRows) -> None:
        """See `PanelLog.publish`."""
        self._producer.produce(Outbound(SCORE_PANEL, encode_panel(rows), partition=partition))

    def flush(self) -> None:
        """See `PanelLog.flush`."""
        self._producer.flush()

"""Where the logs of a topic begin and end, asked of the broker."""

from collections.abc import Mapping, Sequence

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from feature_store.settings import Settings, kafka_client_config
from streams.processors.start import LogBounds

_TIMEOUT_S = 30.0


class KafkaLogs:
    """The logs of a cluster; every question raises `confluent_kafka.KafkaException` without an answer."""

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient(dict(kafka_client_config(settings)))

    def bounds(self, topic: str, partitions: Sequence[int]) -> Mapping[int, LogBounds]:
        """What the log of each partition holds now."""
        if not partitions:
            return {}
        starts = self._offsets(topic, partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]
        ends = self._offsets(topic, partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]
        return {partition: LogBounds(starts[partition], ends[partition]) for partition in partitions}

    def _offsets(self, topic: str, partitions: Sequence[int], spec: OffsetSpec) -> dict[int, int]:
        asked = {TopicPartition(topic, partition): spec for partition in partitions}
        answers = self._admin.list_offsets(asked, request_timeout=_TIMEOUT_S)
        return {place.partition: answer.result().offset for place, answer in answers.items()}

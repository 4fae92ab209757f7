"""How far each reason was replayed, as offsets that a consumer group of its own has committed."""

from collections.abc import Mapping

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from feature_store.schema.topics import DEAD_LETTER
from feature_store.settings import Settings, kafka_client_config

_TIMEOUT_S = 30.0


class KafkaPositions:
    """Positions in the group ``eddyline-deadletters-<reason>``, which has no members.

    The broker forgets them ``offsets.retention.minutes`` after the last commit, and what was replayed with
    them: that time must not be shorter than what `events.dead-letter` is kept for.

    Raises
    ------
    confluent_kafka.KafkaException
        From every call, when the broker cannot be reached or refuses.
    """

    def __init__(self, settings: Settings) -> None:
        self._admin = AdminClient(dict(kafka_client_config(settings)))

    def load(self, reason: str) -> dict[int, int]:
        """Partition -> the first offset that was not replayed."""
        group = _group(reason)
        asked = self._admin.list_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group)], request_timeout=_TIMEOUT_S
        )
        committed = asked[group].result(_TIMEOUT_S).topic_partitions
        return {item.partition: item.offset for item in committed if item.topic == DEAD_LETTER}

    def save(self, reason: str, positions: Mapping[int, int]) -> None:
        """Commit positions; those of other partitions stay."""
        group = _group(reason)
        offsets = [TopicPartition(DEAD_LETTER, number, offset) for number, offset in positions.items()]
        asked = self._admin.alter_consumer_group_offsets(
            [ConsumerGroupTopicPartitions(group, offsets)], request_timeout=_TIMEOUT_S
        )
        for done in asked[group].result(_TIMEOUT_S).topic_partitions:
            if done.error is not None:
                raise KafkaException(done.error)


def _group(reason: str) -> str:
    return f"eddyline-deadletters-{reason}"

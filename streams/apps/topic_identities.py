"""What Kafka calls the topics: their ids and partition counts."""

from collections.abc import Iterable

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription  # type: ignore[attr-defined]

from feature_store.settings import Settings, kafka_client_config
from streams.processors.start import CannotStart, TopicIdentity

_TIMEOUT_S = 30.0


def topic_identities(settings: Settings, names: Iterable[str]) -> dict[str, TopicIdentity]:
    """The identity of each topic, by name.

    Raises
    ------
    CannotStart
        When a topic has not `batch_partitions` partitions.
    confluent_kafka.KafkaException
        When the broker cannot be asked, or has no such topic.
    """
    admin = AdminClient(dict(kafka_client_config(settings)))
    answers = admin.describe_topics(TopicCollection(list(names)), request_timeout=_TIMEOUT_S)
    return {name: _identity(settings, answer.result()) for name, answer in answers.items()}


def _identity(settings: Settings, topic: TopicDescription) -> TopicIdentity:
    if len(topic.partitions) != settings.batch_partitions:
        raise CannotStart(
            f"{topic.name} has {len(topic.partitions)} partitions, EDDYLINE_BATCH_PARTITIONS says "
            f"{settings.batch_partitions}: set it to what the topic has"
        )
    return TopicIdentity(topic.name, str(topic.topic_id), len(topic.partitions))

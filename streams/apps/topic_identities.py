"""What Kafka calls the topics: their ids and partition counts."""

from collections.abc import Iterable, Mapping

from confluent_kafka import TopicCollection
from confluent_kafka.admin import AdminClient, TopicDescription  # type: ignore[attr-defined]

from feature_store.settings import Settings, kafka_client_config
from streams.processors.start import CannotStart, TopicIdentity

_TIMEOUT_S = 30.0


def topic_identities(
    settings: Settings, names: Iterable[str], others: Mapping[str, int] | None = None
) -> dict[str, TopicIdentity]:
    """The identity of each topic, by name.

    Parameters
    ----------
    others : topic -> partitions, where they are not `batch_partitions`

    Raises
    ------
    CannotStart
        When a topic has not as many partitions as it should.
    confluent_kafka.KafkaException
        When the broker cannot be asked, or has no such topic.
    """
    admin = AdminClient(dict(kafka_client_config(settings)))
    expected = others or {}
    answers = admin.describe_topics(TopicCollection(list(names)), request_timeout=_TIMEOUT_S)
    return {
        name: _identity(answer.result(), expected.get(name, settings.batch_partitions))
        for name, answer in answers.items()
    }


def _identity(topic: TopicDescription, expected: int) -> TopicIdentity:
    if len(topic.partitions) != expected:
        raise CannotStart(
            f"{topic.name} has {len(topic.partitions)} partitions, EDDYLINE_BATCH_PARTITIONS says "
            f"{expected}: set it to what the topic has"
        )
    return TopicIdentity(topic.name, str(topic.topic_id), len(topic.partitions))

"""How our own commands connect to Kafka."""

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from feature_store.settings import Settings, kafka_client_config

ANSWERS_WITHIN_S = 5.0
"""What a command waits for a broker; somebody sits there."""


class NoBroker(ConnectionError):  # noqa: N818  (a state of the world)
    """No broker answers where one should be."""


def quiet_client_config(settings: Settings) -> dict[str, str | int | bool]:
    """Connection part of a librdkafka configuration, without its log: problems are raised, not printed."""
    return {**kafka_client_config(settings), "log_level": 0}


def require_broker(settings: Settings) -> None:
    """Return once a broker answers; what waits longer and prints more may ask it then.

    Raises
    ------
    NoBroker
        None does.
    """
    try:
        AdminClient(dict(quiet_client_config(settings))).list_topics(timeout=ANSWERS_WITHIN_S)
    except KafkaException as error:
        raise NoBroker(f"no broker answers at {settings.kafka_bootstrap}: {error.args[0].str()}") from error

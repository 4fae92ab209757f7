"""How our own commands connect to Kafka."""

from feature_store.settings import Settings, kafka_client_config


def quiet_client_config(settings: Settings) -> dict[str, str | int | bool]:
    """Connection part of a librdkafka configuration, without its log: problems are raised, not printed."""
    return {**kafka_client_config(settings), "log_level": 0}

"""Whom timelines were made for lately."""

from contextlib import closing

from feature_store.schema.served import decode_served
from feature_store.schema.topics import RANK_SERVED
from feature_store.settings import Settings
from feature_store.topic_log import log_bounds, log_reader, read_log

_MESSAGES = 200


def users_served(settings: Settings) -> set[str]:
    """Users of the last messages of each partition of `rank.served`.

    Raises
    ------
    confluent_kafka.KafkaException
        The broker does not answer.
    """
    with closing(log_reader(settings, "panel-users")) as consumer:
        ends = log_bounds(consumer, RANK_SERVED)
        bounds = {number: (max(first, end - _MESSAGES), end) for number, (first, end) in ends.items()}
        messages = read_log(consumer, RANK_SERVED, bounds)
        return {
            user
            for message in messages
            for user in decode_served(message.value() or b"").column("user_id").unique().to_pylist()
        }

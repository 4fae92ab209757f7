"""Reads a topic from given offsets to its end as it is now."""

from collections.abc import Iterator, Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from feature_store.settings import Settings, kafka_client_config

_POLL_MESSAGES = 1_000
_POLL_S = 0.1
_TIMEOUT_S = 30.0

Bounds = Mapping[int, tuple[int, int]]
"""Partition -> (first offset, end: the offset after the last)."""


def log_reader(settings: Settings, name: str) -> Consumer:
    """A consumer for :func:`log_bounds` and :func:`read_log`; it joins no group and commits nothing."""
    return Consumer(
        {
            **kafka_client_config(settings),
            "group.id": f"eddyline-{name}",  # required by the client
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
        }
    )


def partitions_of(consumer: Consumer, topic: str) -> list[int]:
    """The partitions that a topic has.

    Raises
    ------
    confluent_kafka.KafkaException
        When the broker cannot be reached, or has no such topic.
    """
    metadata = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    return list(metadata.partitions)


def log_bounds(consumer: Consumer, topic: str) -> dict[int, tuple[int, int]]:
    """Where each partition begins and ends now; raises as :func:`partitions_of`."""
    return {
        number: consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_TIMEOUT_S)
        for number in partitions_of(consumer, topic)
    }


def read_log(consumer: Consumer, topic: str, bounds: Bounds) -> Iterator[Message]:
    """Each message within ``bounds``, each partition in order.

    Raises
    ------
    confluent_kafka.KafkaException
        When the broker cannot be read, or says nothing for 30 s.
    """
    unfinished = {number for number, (first, end) in bounds.items() if first < end}
    consumer.assign([TopicPartition(topic, number, bounds[number][0]) for number in unfinished])
    silent = 0
    while unfinished:
        messages = [message for message in consumer.consume(_POLL_MESSAGES, _POLL_S) if _is_progress(message)]
        silent = 0 if messages else silent + 1
        if silent > _TIMEOUT_S / _POLL_S:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, f"{topic}: no answer for {_TIMEOUT_S} s"))
        for message in messages:
            number, offset = message.partition() or 0, message.offset() or 0
            end = bounds[number][1]
            if message.error() is None and offset < end:
                yield message
            if offset >= end - 1:
                unfinished.discard(number)


def _is_progress(message: Message) -> bool:
    """Whether this is a message or the end of a partition; raises an error that lasts."""
    error = message.error()
    if error is None or error.code() == KafkaError._PARTITION_EOF:
        return True
    if error.fatal() or not error.retriable():
        raise KafkaException(error)
    return False

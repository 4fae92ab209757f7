"""Reads `exposures` from Kafka as one table, for training and for anyone who analyses."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from feature_store.schema.exposures import decode_exposures, latest_exposures
from feature_store.schema.topics import EXPOSURES
from feature_store.settings import Settings, kafka_client_config

_POLL_MESSAGES = 1_000
_POLL_S = 0.1
_TIMEOUT_S = 30.0


@dataclass(frozen=True, slots=True)
class ExposureRead:
    """What was in the log.

    Attributes
    ----------
    exposures : latest revision of each exposure, columns of `feature_store.schema.exposures`
    offsets : partition -> (first offset read, offset to go on from)
    """

    exposures: pa.Table
    offsets: dict[int, tuple[int, int]]


def read_exposures(
    settings: Settings, start: Mapping[int, int] | None = None, *, topic: str = EXPOSURES
) -> ExposureRead:
    """All exposures between ``start`` and the end of the log as it is now.

    Parameters
    ----------
    start : partition -> first offset; others, and what retention has removed, from where the log begins

    Raises
    ------
    confluent_kafka.KafkaException
        When the broker cannot be read, or has no such topic.
    """
    consumer = Consumer(
        {
            **kafka_client_config(settings),
            "group.id": "eddyline-exposure-log",  # required by the client; nothing is committed
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
        }
    )
    try:
        offsets = _bounds(consumer, topic, start or {})
        batches = [decode_exposures(payload) for payload in _messages(consumer, topic, offsets)]
    finally:
        consumer.close()
    return ExposureRead(latest_exposures(batches), offsets)


def _bounds(consumer: Consumer, topic: str, start: Mapping[int, int]) -> dict[int, tuple[int, int]]:
    metadata = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    if metadata.error is not None:
        raise KafkaException(metadata.error)
    bounds = {}
    for number in metadata.partitions:
        low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=_TIMEOUT_S)
        bounds[number] = (min(high, max(low, start.get(number, low))), high)
    return bounds


def _messages(consumer: Consumer, topic: str, bounds: Mapping[int, tuple[int, int]]) -> Iterator[bytes]:
    """Payload of each message within ``bounds``, each partition in order."""
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
                yield message.value() or b""
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

"""Reads all findings from their topic, and adds what people say of them."""

from collections.abc import Iterator
from contextlib import closing

from confluent_kafka import KafkaException, Producer

from feature_store.schema.findings import (
    Acknowledgement,
    FindingState,
    Record,
    decode_record,
    encode_record,
    fold_all,
)
from feature_store.schema.topics import FINDINGS
from feature_store.settings import Settings, kafka_client_config
from feature_store.topic_log import log_bounds, log_reader, read_log

_WITHIN_S = 10.0


def read_findings(settings: Settings) -> dict[str, FindingState]:
    """Finding id -> state, in the order in which they were found.

    Raises
    ------
    confluent_kafka.KafkaException
        The broker does not answer, or has no such topic.
    """
    return fold_all(_records(settings))


def write_acknowledgement(settings: Settings, said: Acknowledgement) -> None:
    """Add one; returns once the broker has it.

    Raises
    ------
    confluent_kafka.KafkaException, TimeoutError
        It has not.
    """
    producer = Producer({**kafka_client_config(settings), "acks": "all", "partitioner": "murmur2_random"})
    failures: list[KafkaException] = []
    producer.produce(
        FINDINGS,
        encode_record(said),
        said.subject.encode(),
        on_delivery=lambda error, _: failures.append(KafkaException(error)) if error else None,
    )
    if producer.flush(_WITHIN_S):
        raise TimeoutError(f"{FINDINGS}: the broker did not answer within {_WITHIN_S:.0f} s")
    if failures:
        raise failures[0]


def _records(settings: Settings) -> Iterator[Record]:
    with closing(log_reader(settings, "findings")) as consumer:
        for message in read_log(consumer, FINDINGS, log_bounds(consumer, FINDINGS)):
            yield decode_record(message.value() or b"")

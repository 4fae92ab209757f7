"""Reads all findings from their topic, and adds to them."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

import msgspec
import structlog
from confluent_kafka import KafkaException, Producer

from feature_store.schema.findings import (
    FindingState,
    Record,
    decode_record,
    encode_record,
    fold_all,
)
from feature_store.schema.topics import FINDINGS
from feature_store.settings import Settings, kafka_client_config
from feature_store.topic_log import log_bounds, log_reader, read_log

_log = structlog.get_logger()
_WITHIN_S = 10.0

Refuse = Callable[[int, str], None]
"""Told the offset of a message that is no record, and why; the others are read nevertheless."""


def _refuse(offset: int, why: str) -> None:
    _log.warning("finding_not_read", topic=FINDINGS, offset=offset, error=why)


def read_findings(settings: Settings, refuse: Refuse = _refuse) -> dict[str, FindingState]:
    """Finding id -> state, in the order in which they were found.

    Raises
    ------
    confluent_kafka.KafkaException
        The broker does not answer, or has no such topic.
    """
    with closing(log_reader(settings, "findings")) as consumer:
        messages = read_log(consumer, FINDINGS, log_bounds(consumer, FINDINGS))
        stored = (
            (message.offset() or 0, message.timestamp()[1], message.value() or b"") for message in messages
        )
        return fold_all(records(stored, refuse))


def records(stored: Iterable[tuple[int, int, bytes]], refuse: Refuse) -> Iterator[tuple[int, Record]]:
    """What messages (offset, time ms, payload) say, each with its time."""
    for offset, logged_ms, payload in stored:
        try:
            yield logged_ms, decode_record(payload)
        except msgspec.DecodeError as error:
            refuse(offset, str(error))


def write_record(settings: Settings, record: Record) -> None:
    """Add a finding, or what somebody says of one; returns once the broker has it.

    Raises
    ------
    confluent_kafka.KafkaException, TimeoutError
        It has not.
    """
    producer = Producer({**kafka_client_config(settings), "acks": "all", "partitioner": "murmur2_random"})
    failures: list[KafkaException] = []
    producer.produce(
        FINDINGS,
        encode_record(record),
        record.subject.encode(),
        on_delivery=lambda error, _: failures.append(KafkaException(error)) if error else None,
    )
    if producer.flush(_WITHIN_S):
        raise TimeoutError(f"{FINDINGS}: the broker did not answer within {_WITHIN_S:.0f} s")
    if failures:
        raise failures[0]

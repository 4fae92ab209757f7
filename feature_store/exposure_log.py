"""Reads `exposures` from Kafka as one table, for training and for anyone who analyses."""

from collections.abc import Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from confluent_kafka import Message

from feature_store.schema.exposures import decode_exposures, latest_exposures, latest_of
from feature_store.schema.topics import EXPOSURES
from feature_store.settings import Settings
from feature_store.topic_log import log_bounds, log_reader, read_log


@dataclass(frozen=True, slots=True)
class ExposureRead:
    """What was in the log.

    Attributes
    ----------
    exposures : latest revision of each exposure, columns of `feature_store.schema.exposures`, and where it
        was read: ``log_partition`` int32, ``log_offset`` int64; without these where nothing was
    offsets : partition -> (first offset read, offset to go on from)
    """

    exposures: pa.Table
    offsets: dict[int, tuple[int, int]]

    @property
    def rankings(self) -> int:
        """How many requests the exposures are of."""
        return int(pc.count_distinct(self.exposures["request_id"], mode="only_valid").as_py())

    def continued(self, settings: Settings) -> "ExposureRead":
        """The same, and what was written since; raises as `read_exposures`."""
        more = read_exposures(settings, {number: end for number, (_, end) in self.offsets.items()})
        began = {number: first for number, (first, _) in self.offsets.items()}
        offsets = {number: (began.get(number, first), end) for number, (first, end) in more.offsets.items()}
        return ExposureRead(latest_of([self.exposures, more.exposures]), offsets)


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
    consumer = log_reader(settings, "exposure-log")
    try:
        offsets = {
            number: (min(end, max(first, (start or {}).get(number, first))), end)
            for number, (first, end) in log_bounds(consumer, topic).items()
        }
        batches = [_rows(message) for message in read_log(consumer, topic, offsets)]
    finally:
        consumer.close()
    return ExposureRead(latest_exposures(batches), offsets)


def _rows(message: Message) -> pa.RecordBatch:
    """The rows of a message, each with the place of the message in the log."""
    rows = decode_exposures(message.value() or b"")
    place = {
        "log_partition": pa.scalar(message.partition(), pa.int32()),
        "log_offset": pa.scalar(message.offset(), pa.int64()),
    }
    for name, value in place.items():
        rows = rows.append_column(name, pa.repeat(value, len(rows)))
    return rows

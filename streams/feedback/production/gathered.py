"""Messages of `exposures` laid together: a detector's calls cost by the call, and a message has few rows."""

from collections.abc import Iterable, Iterator
from itertools import groupby

import pyarrow as pa

from feature_store.schema.exposures import decode_exposures
from feature_store.schema.served import USER_SLICE
from feature_store.schema.topics import EXPOSURES
from streams.feedback.production.dated_log import LogMessage

READ = frozenset(
    {
        "request_id",
        "item_id",
        "position",
        "position_seen",
        "served_time_ms",
        "model_version",
        "heads",
        "nudge",
        "propensity",
        "assignments",
        "outcomes",
        "status",
        USER_SLICE,
    }
)
"""Columns that some detector reads. Not the features that the model read, which are most of a row's bytes."""

ROWS = 65_536
"""Laid together, or one message where that has more."""


def gathered(messages: Iterable[LogMessage]) -> Iterator[pa.RecordBatch | LogMessage]:
    """The same in the same order, exposures as batches of the columns :data:`READ`.

    Of exposures that follow one another, those of the same layout share a batch.

    Raises
    ------
    pyarrow.ArrowInvalid
        As `decode_exposures`.
    """
    for exposures, run in groupby(messages, lambda message: message.topic == EXPOSURES):
        if exposures:
            yield from _laid_together(_narrow(decode_exposures(message.payload)) for message in run)
        else:
            yield from run


def _narrow(rows: pa.RecordBatch) -> pa.RecordBatch:
    return rows.select([name for name in rows.schema.names if name in READ])


def _laid_together(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    held: list[pa.RecordBatch] = []
    for batch in batches:
        if held and not _fits(held, batch):
            yield _one(held)
            held = []
        held.append(batch)
    if held:
        yield _one(held)


def _fits(held: list[pa.RecordBatch], batch: pa.RecordBatch) -> bool:
    return held[0].schema.equals(batch.schema) and sum(map(len, held)) + len(batch) <= ROWS


def _one(held: list[pa.RecordBatch]) -> pa.RecordBatch:
    return held[0] if len(held) == 1 else pa.concat_batches(held)

"""`batches.feedback`: impressions and interactions as columns, partitioned by user, for the exposure join.

One Kafka message is one Arrow IPC stream with one record batch; its schema's metadata carries the
source ranges, as in `feature_store.schema.batches`.
"""

import pyarrow as pa

from feature_store.schema.batches import (
    RANGES_KEY,
    SourceRanges,
    decode_ranges,
    encode_ranges,
    read_ipc,
    write_ipc,
)

FEEDBACK_SCHEMA = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("request_id", pa.string()),
        pa.field("event", pa.dictionary(pa.int32(), pa.string()), nullable=False),
        pa.field("value", pa.float64(), nullable=False),
        pa.field("position", pa.int32()),
        pa.field("propensity", pa.float64()),
        pa.field("event_time_ms", pa.int64(), nullable=False),
        pa.field("source_partition", pa.int32(), nullable=False),
        pa.field("source_offset", pa.int64(), nullable=False),
    ]
)
"""Columns of a feedback batch; ``event`` is ``impression`` or ``interaction/<action>``."""


def encode_feedback(rows: pa.RecordBatch, ranges: SourceRanges) -> bytes:
    """Arrow IPC stream of ``rows``, whose columns are those of :data:`FEEDBACK_SCHEMA`."""
    columns = {name: rows.column(name) for name in FEEDBACK_SCHEMA.names}
    return write_ipc(columns, {RANGES_KEY: encode_ranges(ranges)})


def decode_feedback(payload: bytes) -> tuple[pa.RecordBatch, SourceRanges]:
    """Rows and source ranges of one Kafka message; the buffers are not copied.

    Raises
    ------
    pyarrow.ArrowInvalid
        When the bytes are not an Arrow IPC stream.
    KeyError
        When a column of the contract is absent.
    """
    rows = read_ipc(payload)
    absent = set(FEEDBACK_SCHEMA.names).difference(rows.schema.names)
    if absent:
        raise KeyError(f"batches.feedback: columns {sorted(absent)} are absent")
    return rows, decode_ranges(rows.schema.metadata[RANGES_KEY])

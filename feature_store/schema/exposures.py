"""`exposures`: what was answered, seen and done, joined for one (request, item), as columns.

One Kafka message is one Arrow IPC stream with one record batch. An exposure is written again with a
higher ``revision`` for each later outcome; equal revisions of one exposure have equal content.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.batches import read_ipc, write_record_batch
from feature_store.schema.served import SERVED_FIELDS, with_slices

ON_TIME, LATE, ORPHAN = "on_time", "late", "orphan"

MAX_MESSAGE_BYTES = 1_000_000
"""Exposures are cut into messages of about this size at most."""

SOURCE_RANGE = pa.struct(
    [
        pa.field("topic", pa.string()),
        pa.field("partition", pa.int32()),
        pa.field("first", pa.int64()),
        pa.field("last", pa.int64()),
    ]
)

JOINED_FIELDS: tuple[pa.Field, ...] = (
    pa.field("position_seen", pa.int32()),
    pa.field("propensity_seen", pa.float64()),
    pa.field("impression_time_ms", pa.int64()),
    pa.field("outcomes", pa.map_(pa.string(), pa.float64())),
    pa.field("outcome_time_ms", pa.int64()),
    pa.field("status", pa.dictionary(pa.int32(), pa.string())),
    pa.field("revision", pa.int32()),
    pa.field("source_ranges", pa.list_(SOURCE_RANGE)),
)
"""What the join adds to the columns of `rank.served`.

``position_seen`` and ``propensity_seen`` are the impression's own (null where it carries none; the
propensity is there when somebody else displayed the item); ``outcomes`` maps each action to the sum
of its interactions' values; ``outcome_time_ms`` is the event time of the latest interaction, null if
there is none; ``status`` is `on_time`, `late` (some outcome came after the exposure had closed) or
`orphan` (the impression names a request that was never served to its user); ``revision`` is the
number of interactions folded in; ``source_ranges`` are the offsets that the row was made of.
"""

EXPOSURE_FIELDS: tuple[pa.Field, ...] = SERVED_FIELDS + JOINED_FIELDS
"""All columns, in order. Those of `rank.served` are null for an organic or orphan impression, except
``user_id``, ``item_id`` and, for an orphan, ``request_id``; types that depend on the model are null then."""

_PER_SERVICE = ("features", "ids")
"""Columns whose size is that of the feature service."""

_IDENTITY = ["user_id", "request_id", "item_id", "impression_time_ms"]


def encode_exposures(rows: pa.RecordBatch) -> Iterator[bytes]:
    """Messages of at most about :data:`MAX_MESSAGE_BYTES` each, the rows in their order."""
    cut = max(1, int(len(rows) * MAX_MESSAGE_BYTES / max(1, rows.nbytes)))
    for start in range(0, len(rows), cut):
        yield write_record_batch(rows.slice(start, cut))


def decode_exposures(payload: bytes) -> pa.RecordBatch:
    """The rows of one message; the buffers are not copied.

    Raises
    ------
    pyarrow.ArrowInvalid
        When the bytes are not an Arrow IPC stream.
    """
    return with_slices(read_ipc(payload))


def latest_exposures(batches: Iterable[pa.RecordBatch]) -> pa.Table:
    """The latest revision of each exposure, in the order of their first rows.

    Batches of different models are laid over one another: heads of either, null where absent. Features
    and ids are lists of a fixed size only where all were served with as many.
    """
    tables = [pa.Table.from_batches([batch]) for batch in batches]
    return latest_of(tables) if tables else pa.schema(EXPOSURE_FIELDS).empty_table()


def latest_of(tables: list[pa.Table]) -> pa.Table:
    """As :func:`latest_exposures`, of at least one table; of equal revisions the one in the first table."""
    for name in _PER_SERVICE:
        tables = _of_any_width(tables, name)
    table = pa.concat_tables(tables, promote_options="permissive").unify_dictionaries()
    return table.take(_latest_rows(table))


def _of_any_width(tables: list[pa.Table], name: str) -> list[pa.Table]:
    """The tables with a column as lists of any size, if its size is not the same in all of them."""
    kinds = {table.schema.field(name).type for table in tables} - {pa.null()}
    if len(kinds) < 2:
        return tables
    place = tables[0].column_names.index(name)
    lists = pa.list_(next(iter(kinds)).value_type)
    return [table.set_column(place, name, table.column(name).cast(lists)) for table in tables]


def _latest_rows(table: pa.Table) -> pa.Array:
    """Row numbers of the highest revision of each exposure, the first one written of equal ones."""
    # Highest revision and then lowest row number wins: one number that orders both.
    n = len(table)
    revision = table.column("revision").to_numpy().astype(np.int64)
    rank = pa.array(revision * n + (n - 1 - np.arange(n)))
    keys = table.select(_IDENTITY).append_column("rank", rank)
    best = keys.group_by(_IDENTITY, use_threads=False).aggregate([("rank", "max")]).column("rank_max")
    return pc.subtract(pa.scalar(n - 1), pa.array(best.to_numpy() % n))

"""Impressions and interactions of one step, cut into a feedback batch per batch partition."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.feedback import FEEDBACK_SCHEMA
from streams.ingest.item_columns import ItemColumns
from streams.ingest.registry import Registry
from streams.ingest.rows import EventRows


def feedback_batches(rows: EventRows, items: ItemColumns) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Each batch partition that has feedback, with its rows as `FEEDBACK_SCHEMA` names them."""
    feedback = rows.feedback
    at = feedback.index
    table = pa.record_batch(
        [
            _texts(rows.users, rows.user[at]),
            _texts(items.ids, rows.item[at]),
            feedback.request_id,
            pa.DictionaryArray.from_arrays(rows.event[at], pa.array(rows.event_names, pa.string())),
            pa.array(rows.value[at]),
            feedback.position,
            feedback.propensity,
            pa.array(rows.event_time_ms[at]),
            pa.array(rows.source_partition[at]),
            pa.array(rows.source_offset[at]),
        ],
        schema=FEEDBACK_SCHEMA,
    )
    partition = rows.users.partition[rows.user[at]]
    for number in np.unique(partition).tolist():
        yield number, table.take(pa.array(np.flatnonzero(partition == number)))


def _texts(registry: Registry, codes: NDArray[np.int64]) -> pa.Array:
    """(n,) texts of codes, each distinct one converted once."""
    encoded = pa.array(codes).dictionary_encode()
    distinct = map(registry.texts.__getitem__, encoded.dictionary.to_pylist())
    return pa.array(list(distinct), pa.string()).take(encoded.indices)

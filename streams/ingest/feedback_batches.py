"""Impressions and interactions of one step, cut into a feedback batch per batch partition."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from feature_store.schema.feedback import FEEDBACK_SCHEMA
from streams.ingest.registry import Registry
from streams.ingest.rows import EventRows


def feedback_batches(rows: EventRows, users: Registry) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Each batch partition that has feedback, with its rows as `FEEDBACK_SCHEMA` names them."""
    at, events = rows.feedback, rows.feedback_events
    table = pa.record_batch(
        [
            pa.array([event.user_id for event in events], pa.string()),
            pa.array([event.item_id for event in events], pa.string()),
            pa.array([event.request_id for event in events], pa.string()),
            pa.DictionaryArray.from_arrays(rows.event[at], pa.array(rows.event_names, pa.string())),
            pa.array(rows.value[at]),
            pa.array([event.position for event in events], pa.int32()),
            pa.array([event.propensity for event in events], pa.float64()),
            pa.array(rows.event_time_ms[at]),
            pa.array(rows.source_partition[at]),
            pa.array(rows.source_offset[at]),
        ],
        schema=FEEDBACK_SCHEMA,
    )
    partition = users.partition[rows.user[at]]
    for number in np.flatnonzero(np.bincount(partition)).tolist():
        yield number, table.take(pa.array(np.flatnonzero(partition == number)))

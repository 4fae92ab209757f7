"""Impressions and interactions of one step, cut into a feedback batch per batch partition."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from feature_store.schema.feedback import FEEDBACK_SCHEMA
from streams.ingest.joined_rows import JoinedRows


def feedback_batches(joined: JoinedRows) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Each batch partition that has feedback, with its rows as `FEEDBACK_SCHEMA` names them."""
    rows, user, item = joined.rows, joined.part("user"), joined.part("item")
    table = pa.record_batch(
        [
            user.texts.take(pa.array(user.codes[:, 0])),
            item.texts.take(pa.array(item.codes[:, 0])),
            pa.array(rows.request_id, pa.string()),
            pa.DictionaryArray.from_arrays(rows.event, pa.array(rows.event_names, pa.string())),
            pa.array(rows.value),
            pa.array(rows.position, pa.int32()),
            pa.array(rows.propensity, pa.float64()),
            pa.array(rows.event_time_ms),
            pa.array(rows.source_partition),
            pa.array(rows.source_offset),
        ],
        schema=FEEDBACK_SCHEMA,
    )
    partition = user.partition[user.codes[rows.feedback, 0]]
    for number in np.flatnonzero(np.bincount(partition)).tolist():
        yield number, table.take(pa.array(rows.feedback[partition == number]))

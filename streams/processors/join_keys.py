"""What an exposure is known by: texts that ids cannot make ambiguous, because `|` is not allowed in them."""

import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.ids import SEPARATOR

KEY_BYTES = 300
"""About what an indexed row takes beside its columns: key, reference and the dictionary's entry."""


def request_keys(rows: pa.RecordBatch) -> list[str]:
    """``user|request`` of each row; the request is empty for organic traffic."""
    return _joined(rows.column("user_id"), _request_ids(rows))


def exposure_keys(rows: pa.RecordBatch) -> list[str]:
    """``user|request|item`` of each row; the request is empty for organic traffic."""
    return _joined(rows.column("user_id"), _request_ids(rows), rows.column("item_id"))


def _request_ids(rows: pa.RecordBatch) -> pa.Array:
    column = rows.column("request_id")
    return pc.fill_null(column, "") if column.null_count else column


def _joined(*columns: pa.Array) -> list[str]:
    keys: list[str] = pc.binary_join_element_wise(*columns, SEPARATOR).to_pylist()
    return keys


def is_organic(key: str) -> bool:
    """Whether an exposure's key names no request."""
    return SEPARATOR * 2 in key

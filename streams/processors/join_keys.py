"""What an exposure is known by: texts that ids cannot make ambiguous, because `|` is not allowed in them."""

import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.ids import SEPARATOR

KEY_BYTES = 300
"""About what an indexed row takes beside its columns: key, reference and the dictionary's entry."""


def request_keys(rows: pa.RecordBatch) -> pa.Array:
    """``user|request`` of each row; the request is empty for organic traffic."""
    requests = rows.column("request_id")
    requests = pc.fill_null(requests, "") if requests.null_count else requests
    return pc.binary_join_element_wise(rows.column("user_id"), requests, SEPARATOR)


def exposure_keys(rows: pa.RecordBatch) -> list[str]:
    """``user|request|item`` of each row; the request is empty for organic traffic."""
    keys = pc.binary_join_element_wise(request_keys(rows), rows.column("item_id"), SEPARATOR)
    return keys.to_pylist()  # type: ignore[no-any-return]


def is_organic(key: str) -> bool:
    """Whether an exposure's key names no request."""
    return SEPARATOR * 2 in key

"""What was served, as something to check: the features of a request, and which rows they were read from."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.served import RowMarks


@dataclass(frozen=True, slots=True)
class ServedCase:
    """The logged candidates of one request.

    Attributes
    ----------
    features : (n, u + k) float32 as the model read them
    ids : (n, m) int64 as the model read them
    marks : of the rows that the candidates' features come from
    """

    request_id: str
    user_id: str
    item_ids: list[str]
    finalize_time_ms: int
    features: NDArray[np.float32]
    ids: NDArray[np.int64]
    marks: RowMarks


def cases_of(rows: pa.RecordBatch, fingerprint: str) -> Iterator[ServedCase]:
    """The requests of one message of `rank.served` whose features are of the service ``fingerprint``."""
    if pa.types.is_null(rows.schema.field("features").type):
        return
    requests = np.array(rows.column("request_id").to_pylist(), object)
    starts = np.flatnonzero(np.concatenate(([True], requests[1:] != requests[:-1])))
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(rows)], strict=True):
        part = rows.slice(start, stop - start)
        if part.column("fingerprint")[0].as_py() == fingerprint:
            yield _case(part)


def _case(rows: pa.RecordBatch) -> ServedCase:
    return ServedCase(
        request_id=rows.column("request_id")[0].as_py(),
        user_id=rows.column("user_id")[0].as_py(),
        item_ids=rows.column("item_id").to_pylist(),
        finalize_time_ms=rows.column("finalize_time_ms")[0].as_py(),
        features=_matrix(rows.column("features")),
        ids=_matrix(rows.column("ids")),
        marks=_marks(rows.column("row_marks")),
    )


def _matrix(lists: pa.Array) -> NDArray[Any]:
    values: NDArray[Any] = lists.flatten().to_numpy()
    return values.reshape(len(lists), lists.type.list_size)


def _marks(column: pa.Array) -> RowMarks:
    names, marks = (), []
    if not pa.types.is_null(column.type):
        names = tuple(column.type.field(i).name for i in range(column.type.num_fields))
        marks = [mark.flatten() for mark in column.flatten()]
    partition, row_offset = (
        np.array([mark[i].to_numpy() for mark in marks]).reshape(len(names), len(column)) for i in range(2)
    )
    return RowMarks(names, partition, row_offset)

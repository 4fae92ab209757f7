"""`rank.served`: what the ranker answered and scored, as columns.

One Kafka message is one Arrow IPC stream with one record batch: rows of one or more requests of one
partition. The types of ``heads``, ``features`` and ``row_marks`` depend on the model, so rows of
different layouts go into different messages. All served rows of a request are in one message; the
rows that were only scored may be in another.
"""

from collections import defaultdict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import accumulate, chain
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.batches import read_ipc, write_record_batch
from feature_store.schema.requests import Assignment

_TEXT = pa.dictionary(pa.int32(), pa.string())
_ASSIGNMENT = pa.struct(
    [
        pa.field("experiment", pa.string()),
        pa.field("variant", pa.string()),
        pa.field("propensity", pa.float64()),
    ]
)

SERVED_FIELDS: tuple[pa.Field, ...] = (
    pa.field("request_id", pa.string()),
    pa.field("user_id", pa.string()),
    pa.field("item_id", pa.string()),
    pa.field("surface", _TEXT),
    pa.field("position", pa.int32()),
    pa.field("raw_score", pa.float64()),
    pa.field("nudge", pa.float64()),
    pa.field("published_score", pa.float64()),
    pa.field("heads", pa.null()),
    pa.field("propensity", pa.float64()),
    pa.field("policy", _TEXT),
    pa.field("assignments", pa.list_(_ASSIGNMENT)),
    pa.field("model_version", _TEXT),
    pa.field("fingerprint", _TEXT),
    pa.field("served_time_ms", pa.int64()),
    pa.field("finalize_time_ms", pa.int64()),
    pa.field("sampled", pa.bool_()),
    pa.field("features", pa.null()),
    pa.field("ids", pa.null()),
    pa.field("row_marks", pa.null()),
    pa.field("user_slice", _TEXT),
)
"""Columns in order. Where the type is null it depends on the model: ``heads`` is a struct of float32,
``features`` a fixed-size list of float32 and ``ids`` one of int64 (53-bit hashes are no float32),
``row_marks`` a struct by entity of (partition int32, row_offset int64). ``position`` and ``propensity``
are null where the item was scored, not served; ``features``, ``ids`` and ``row_marks`` where the model's
inputs are not logged; ``user_slice`` where users are not sliced, or the user's row could not be read."""

USER_SLICE = "user_slice"
_NAMES = frozenset(column.name for column in SERVED_FIELDS) - {USER_SLICE}

NOT_SERVED = -1
"""Position of a candidate that was scored and not served."""


@dataclass(frozen=True, slots=True)
class RowMarks:
    """Which versions of the rows the model's inputs of f candidates were read from.

    Attributes
    ----------
    names : m entities, ``name[i]`` for the i-th row where a candidate may have several, as many as any has
    partition : (m, f) int32, −1 where the entity has no row
    row_offset : (m, f) int64 offset of the batch that the row was last folded with, −1 where it has none
    """

    names: tuple[str, ...]
    partition: NDArray[np.int32]
    row_offset: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """The scored candidates of one request, n rows; f of them, at ``detailed``, with what the model read.

    Attributes
    ----------
    position : (n,) int32, 0-based, :data:`NOT_SERVED` where only scored
    raw_score, nudge, published_score : (n,) float64
    heads : head -> (n,) float32; empty where no model answered
    propensity : (n,) float64, read where served
    model_version : ``<name>:<version>``
    sampled : whether candidates that were not served are detailed, too
    features : (f, u + k) float32 as the model read them: the user's columns, then the candidate's
    ids : (f, m) int64 as the model read them
    row_marks : of the rows read for them
    user_slice : that the user is in; None: not known
    """

    request_id: str
    user_id: str
    surface: str
    item_ids: Sequence[str]
    position: NDArray[np.int32]
    raw_score: NDArray[np.float64]
    nudge: NDArray[np.float64]
    published_score: NDArray[np.float64]
    heads: Mapping[str, NDArray[np.float32]]
    propensity: NDArray[np.float64]
    policy: str
    model_version: str
    fingerprint: str
    served_time_ms: int
    finalize_time_ms: int
    sampled: bool
    features: NDArray[np.float32]
    ids: NDArray[np.int64]
    row_marks: RowMarks
    assignments: Mapping[str, Assignment] = field(default_factory=dict)
    user_slice: str | None = None

    @property
    def detailed(self) -> NDArray[np.intp]:
        """(f,) the rows that ``features``, ``ids`` and ``row_marks`` belong to."""
        return detailed(self.position, self.sampled)


def detailed(position: NDArray[np.int32], sampled: bool) -> NDArray[np.intp]:
    """Rows that are logged with what the model read: the served ones, or all of a sampled request."""
    return np.flatnonzero((position != NOT_SERVED) | sampled)


def encode_served(requests: Sequence[ServedRequest]) -> list[bytes]:
    """One message for each layout among ``requests``, all of one partition, in the order of their first rows.

    Raises
    ------
    pyarrow.ArrowInvalid
        When the columns of a request have different lengths.
    """
    layouts: dict[Hashable, list[_Part]] = defaultdict(list)
    for request in requests:
        for part in _parts(request):
            layouts[part.layout].append(part)
    return [write_record_batch(_rows(parts)) for parts in layouts.values()]


def decode_served(payload: bytes) -> pa.RecordBatch:
    """The rows of one message; the buffers are not copied.

    Raises
    ------
    pyarrow.ArrowInvalid
        When the bytes are not an Arrow IPC stream.
    KeyError
        When a column of the contract is absent.
    """
    rows = read_ipc(payload)
    absent = _NAMES.difference(rows.schema.names)
    if absent:
        raise KeyError(f"rank.served: columns {sorted(absent)} are absent")
    return with_slices(rows)


def with_slices(rows: pa.RecordBatch) -> pa.RecordBatch:
    """``rows`` with ``user_slice``, all null where they were written before there was that column."""
    if USER_SLICE in rows.schema.names:
        return rows
    place = [column.name for column in SERVED_FIELDS].index(USER_SLICE)
    return rows.add_column(place, USER_SLICE, pa.nulls(len(rows), _TEXT))


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a request: the detailed ones, or the others."""

    request: ServedRequest
    index: NDArray[np.intp]
    with_details: bool

    @property
    def layout(self) -> Hashable:
        """Parts of equal layouts fit into one message."""
        request = self.request
        if not self.with_details:
            return (tuple(request.heads),)
        return tuple(request.heads), request.features.shape[1], request.ids.shape[1], request.row_marks.names


def _parts(request: ServedRequest) -> list[_Part]:
    full = request.detailed
    others = np.ones(len(request.item_ids), np.bool_)
    others[full] = False
    parts = _Part(request, full, True), _Part(request, np.flatnonzero(others), False)
    return [part for part in parts if len(part.index)]


def _rows(parts: Sequence[_Part]) -> pa.RecordBatch:
    """The rows of parts of one layout: each column is made once for all of them."""
    requests = [part.request for part in parts]
    columns = _rows_columns(parts) | _request_columns(requests, [len(part.index) for part in parts])
    columns |= _details(requests) if parts[0].with_details else dict.fromkeys(_DETAILS)
    n = len(columns["position"])
    arrays = [pa.nulls(n) if columns[field.name] is None else columns[field.name] for field in SERVED_FIELDS]
    return pa.RecordBatch.from_arrays(arrays, names=[field.name for field in SERVED_FIELDS])


def _rows_columns(parts: Sequence[_Part]) -> dict[str, pa.Array]:
    """What differs from row to row."""
    starts = accumulate((len(part.request.item_ids) for part in parts), initial=0)
    rows = np.concatenate([start + part.index for start, part in zip(starts, parts, strict=False)])
    item_ids = list(chain.from_iterable(part.request.item_ids for part in parts))

    def of_rows(column: str) -> NDArray[Any]:
        return np.concatenate([getattr(part.request, column) for part in parts]).take(rows)

    position = of_rows("position")
    heads = {
        name: np.concatenate([part.request.heads[name] for part in parts]).take(rows)
        for name in parts[0].request.heads
    }
    return {
        "item_id": pa.array(list(map(item_ids.__getitem__, rows.tolist())), pa.string()),
        "position": pa.array(position, pa.int32(), mask=position == NOT_SERVED),
        "raw_score": pa.array(of_rows("raw_score"), pa.float64()),
        "nudge": pa.array(of_rows("nudge"), pa.float64()),
        "published_score": pa.array(of_rows("published_score"), pa.float64()),
        "propensity": pa.array(of_rows("propensity"), pa.float64(), mask=position == NOT_SERVED),
        "heads": _struct({name: pa.array(head, pa.float32()) for name, head in heads.items()}),
    }


def _request_columns(requests: Sequence[ServedRequest], lengths: Sequence[int]) -> dict[str, pa.Array]:
    """What all rows of a request share."""
    of_request = pa.array(np.repeat(np.arange(len(requests)), lengths))

    def repeated(column: str) -> pa.Array:
        return pa.array([getattr(request, column) for request in requests]).take(of_request)

    def words(column: str) -> pa.Array:
        values = pa.array([getattr(request, column) for request in requests], pa.string())
        return values.dictionary_encode().take(of_request)

    plain = ("request_id", "user_id", "served_time_ms", "finalize_time_ms", "sampled")
    repeating = ("surface", "policy", "model_version", "fingerprint", USER_SLICE)
    assignments = [
        _assignments(tuple(request.assignments.items()), n)
        for request, n in zip(requests, lengths, strict=True)
    ]
    return {
        **{column: repeated(column) for column in plain},
        **{column: words(column) for column in repeating},
        "assignments": pa.concat_arrays(assignments),
    }


_DETAILS = ("features", "ids", "row_marks")


def _details(requests: Sequence[ServedRequest]) -> dict[str, pa.Array | None]:
    """What the model read for the detailed rows, and from which rows of state."""
    partition = np.concatenate([request.row_marks.partition for request in requests], axis=1)
    row_offset = np.concatenate([request.row_marks.row_offset for request in requests], axis=1)
    marks = {
        name: _struct({"partition": pa.array(partition[i]), "row_offset": pa.array(row_offset[i])})
        for i, name in enumerate(requests[0].row_marks.names)
    }
    return {
        "features": _lists(np.concatenate([request.features for request in requests]), pa.float32()),
        "ids": _lists(np.concatenate([request.ids for request in requests]), pa.int64()),
        "row_marks": _struct(marks),
    }


def _struct(columns: Mapping[str, pa.Array]) -> pa.Array | None:
    return pa.StructArray.from_arrays(list(columns.values()), list(columns)) if columns else None


def _lists(values: NDArray[np.float32] | NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), kind), values.shape[1])


@lru_cache(1024)
def _assignments(assignments: tuple[tuple[str, Assignment], ...], n: int) -> pa.Array:
    one = [
        {"experiment": experiment, "variant": drawn.variant, "propensity": drawn.propensity}
        for experiment, drawn in assignments
    ]
    return pa.array([one], pa.list_(_ASSIGNMENT)).take(pa.array(np.zeros(n, np.int32)))

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
)
"""Columns in order. Where the type is null it depends on the model: ``heads`` is a struct of float32,
``features`` a fixed-size list of float32 and ``ids`` one of int64 (53-bit hashes are no float32),
``row_marks`` a struct by entity of (partition int32, row_offset int64). ``position`` and ``propensity``
are null where the item was scored, not served."""

_NAMES = frozenset(column.name for column in SERVED_FIELDS)

NOT_SERVED = -1
"""Position of a candidate that was scored and not served."""


@dataclass(frozen=True, slots=True)
class RowMarks:
    """Which rows of one entity a request's features were read from.

    Attributes
    ----------
    partition : (n,) int32, −1 where the entity has no row
    row_offset : (n,) int64 offset of the batch that the row was last folded with, −1 where it has none
    """

    partition: NDArray[np.int32]
    row_offset: NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class ServedRequest:
    """The scored candidates of one request, n rows.

    Attributes
    ----------
    position : (n,) int32, 0-based, :data:`NOT_SERVED` where only scored
    raw_score, nudge, published_score : (n,) float64
    heads : head -> (n,) float32; empty where no model answered
    propensity : (n,) float64, read where served
    model_version : ``<name>:<version>``
    features : (n, u + k) float32 as the model read them: the user's columns, then the candidate's
    ids : (n, m) int64 as the model read them
    row_marks : entity -> marks; one entry per row read where a candidate has several
    sampled : whether features of candidates that were not served are logged too
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
    row_marks: Mapping[str, RowMarks]
    assignments: Mapping[str, Assignment] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.item_ids)


def encode_served(requests: Sequence[ServedRequest]) -> list[bytes]:
    """One message for each layout among ``requests``, all of one partition, in the order of their first rows.

    Raises
    ------
    pyarrow.ArrowInvalid
        When the columns of a request have different lengths.
    """
    layouts: dict[Hashable, list[pa.RecordBatch]] = defaultdict(list)
    for request in requests:
        for rows, layout in served_rows(request):
            layouts[layout].append(rows)
    return [write_record_batch(_as_one(parts)) for parts in layouts.values()]


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
    return rows


def served_rows(request: ServedRequest) -> list[tuple[pa.RecordBatch, Hashable]]:
    """Rows with features (served, or all of a sampled request), then rows without, where there are any.

    Each comes with its layout: rows of equal layouts fit into one message.
    """
    with_features = (request.position != NOT_SERVED) | request.sampled
    return [
        (_rows(request, np.flatnonzero(chosen), with_features=full), _layout(request, full))
        for chosen, full in ((with_features, True), (~with_features, False))
        if chosen.any()
    ]


def _layout(request: ServedRequest, with_features: bool) -> Hashable:
    widths = (request.features.shape[1], request.ids.shape[1]) if with_features else None
    return tuple(request.heads), widths, tuple(request.row_marks)


def _rows(request: ServedRequest, index: NDArray[np.intp], *, with_features: bool) -> pa.RecordBatch:
    n, item_ids = len(index), request.item_ids
    not_served = request.position[index] == NOT_SERVED
    columns: dict[str, pa.Array] = {
        "request_id": pa.repeat(request.request_id, n),
        "user_id": pa.repeat(request.user_id, n),
        "item_id": pa.array([item_ids[i] for i in index.tolist()], pa.string()),
        "surface": _repeated(request.surface, n),
        "position": pa.array(request.position[index], pa.int32(), mask=not_served),
        "raw_score": pa.array(request.raw_score[index], pa.float64()),
        "nudge": pa.array(request.nudge[index], pa.float64()),
        "published_score": pa.array(request.published_score[index], pa.float64()),
        "heads": _heads(request.heads, index),
        "propensity": pa.array(request.propensity[index], pa.float64(), mask=not_served),
        "policy": _repeated(request.policy, n),
        "assignments": _assignments(tuple(request.assignments.items()), n),
        "model_version": _repeated(request.model_version, n),
        "fingerprint": _repeated(request.fingerprint, n),
        "served_time_ms": pa.array(np.full(n, request.served_time_ms)),
        "finalize_time_ms": pa.array(np.full(n, request.finalize_time_ms)),
        "sampled": pa.array(np.full(n, request.sampled)),
        "features": _lists(request.features[index], pa.float32()) if with_features else pa.nulls(n),
        "ids": _lists(request.ids[index], pa.int64()) if with_features else pa.nulls(n),
        "row_marks": _row_marks(request.row_marks, index),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


@lru_cache(1024)
def _repeated(text: str, n: int) -> pa.Array:
    return pa.DictionaryArray.from_arrays(np.zeros(n, np.int32), pa.array([text]))


def _heads(heads: Mapping[str, NDArray[np.float32]], index: NDArray[np.intp]) -> pa.Array:
    if not heads:
        return pa.nulls(len(index))
    return pa.StructArray.from_arrays(
        [pa.array(head[index], pa.float32()) for head in heads.values()], list(heads)
    )


def _lists(values: NDArray[np.float32] | NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), kind), values.shape[1])


def _row_marks(marks: Mapping[str, RowMarks], index: NDArray[np.intp]) -> pa.Array:
    if not marks:
        return pa.nulls(len(index))
    structs = [
        pa.StructArray.from_arrays(
            [pa.array(mark.partition[index], pa.int32()), pa.array(mark.row_offset[index], pa.int64())],
            ["partition", "row_offset"],
        )
        for mark in marks.values()
    ]
    return pa.StructArray.from_arrays(structs, list(marks))


@lru_cache(1024)
def _assignments(assignments: tuple[tuple[str, Assignment], ...], n: int) -> pa.Array:
    one = [
        {"experiment": experiment, "variant": drawn.variant, "propensity": drawn.propensity}
        for experiment, drawn in assignments
    ]
    return pa.array([one] * n, pa.list_(_ASSIGNMENT))


def _as_one(parts: list[pa.RecordBatch]) -> pa.RecordBatch:
    """The same rows in one batch, over common dictionaries."""
    if len(parts) == 1:
        return parts[0]
    return pa.concat_batches(pa.Table.from_batches(parts).unify_dictionaries().to_batches())

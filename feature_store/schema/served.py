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
    return rows


@dataclass(frozen=True, slots=True)
class _Part:
    """Some rows of a request: with features (served, or all of a sampled request), or without."""

    request: ServedRequest
    index: NDArray[np.intp]
    with_features: bool

    @property
    def layout(self) -> Hashable:
        """Parts of equal layouts fit into one message."""
        request = self.request
        widths = (request.features.shape[1], request.ids.shape[1]) if self.with_features else None
        return tuple(request.heads), widths, tuple(request.row_marks)


def _parts(request: ServedRequest) -> list[_Part]:
    with_features = (request.position != NOT_SERVED) | request.sampled
    return [
        _Part(request, np.flatnonzero(chosen), full)
        for chosen, full in ((with_features, True), (~with_features, False))
        if chosen.any()
    ]


def _rows(parts: Sequence[_Part]) -> pa.RecordBatch:
    """The rows of parts of one layout: each column is made once for all of them."""
    requests, lengths = [part.request for part in parts], [len(part.index) for part in parts]
    n, full = sum(lengths), parts[0].with_features

    def of_rows(column: str) -> NDArray[Any]:
        return np.concatenate([getattr(part.request, column)[part.index] for part in parts])

    def of_requests(column: str) -> pa.Array:
        values = pa.array([getattr(request, column) for request in requests])
        return values.take(pa.array(np.repeat(np.arange(len(requests)), lengths)))

    position = of_rows("position")
    columns: dict[str, pa.Array] = {
        "request_id": of_requests("request_id"),
        "user_id": of_requests("user_id"),
        "item_id": pa.array(
            [part.request.item_ids[i] for part in parts for i in part.index.tolist()], pa.string()
        ),
        "surface": _words([request.surface for request in requests], lengths),
        "position": pa.array(position, pa.int32(), mask=position == NOT_SERVED),
        "raw_score": pa.array(of_rows("raw_score"), pa.float64()),
        "nudge": pa.array(of_rows("nudge"), pa.float64()),
        "published_score": pa.array(of_rows("published_score"), pa.float64()),
        "heads": _heads(parts, n),
        "propensity": pa.array(of_rows("propensity"), pa.float64(), mask=position == NOT_SERVED),
        "policy": _words([request.policy for request in requests], lengths),
        "assignments": pa.concat_arrays(
            [_assignments(tuple(part.request.assignments.items()), len(part.index)) for part in parts]
        ),
        "model_version": _words([request.model_version for request in requests], lengths),
        "fingerprint": _words([request.fingerprint for request in requests], lengths),
        "served_time_ms": of_requests("served_time_ms"),
        "finalize_time_ms": of_requests("finalize_time_ms"),
        "sampled": of_requests("sampled"),
        "features": _lists(of_rows("features"), pa.float32()) if full else pa.nulls(n),
        "ids": _lists(of_rows("ids"), pa.int64()) if full else pa.nulls(n),
        "row_marks": _row_marks(parts, n),
    }
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def _words(of_part: Sequence[str], lengths: Sequence[int]) -> pa.Array:
    """Dictionary-encoded: the word of each part, once per row of it."""
    words = {word: code for code, word in enumerate(dict.fromkeys(of_part))}
    codes = np.array([words[word] for word in of_part], np.int32)
    return pa.DictionaryArray.from_arrays(np.repeat(codes, lengths), pa.array(list(words)))


def _heads(parts: Sequence[_Part], n: int) -> pa.Array:
    names = list(parts[0].request.heads)
    if not names:
        return pa.nulls(n)
    heads = [np.concatenate([part.request.heads[name][part.index] for part in parts]) for name in names]
    return pa.StructArray.from_arrays([pa.array(head, pa.float32()) for head in heads], names)


def _lists(values: NDArray[np.float32] | NDArray[np.int64], kind: pa.DataType) -> pa.Array:
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1), kind), values.shape[1])


def _row_marks(parts: Sequence[_Part], n: int) -> pa.Array:
    names = list(parts[0].request.row_marks)
    if not names:
        return pa.nulls(n)
    return pa.StructArray.from_arrays([_marks(parts, name) for name in names], names)


def _marks(parts: Sequence[_Part], name: str) -> pa.Array:
    marks = [(part.request.row_marks[name], part.index) for part in parts]
    partition = np.concatenate([mark.partition[index] for mark, index in marks])
    row_offset = np.concatenate([mark.row_offset[index] for mark, index in marks])
    return pa.StructArray.from_arrays(
        [pa.array(partition, pa.int32()), pa.array(row_offset, pa.int64())], ["partition", "row_offset"]
    )


@lru_cache(1024)
def _assignments(assignments: tuple[tuple[str, Assignment], ...], n: int) -> pa.Array:
    one = [
        {"experiment": experiment, "variant": drawn.variant, "propensity": drawn.propensity}
        for experiment, drawn in assignments
    ]
    return pa.array([one] * n, pa.list_(_ASSIGNMENT))

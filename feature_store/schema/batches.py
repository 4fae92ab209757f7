"""Columnar batches of `batches.<entity>`: what ingest writes and the feature workers fold.

One Kafka message is one Arrow IPC stream with one record batch. Columns: ``entity_id`` and
``event`` (dictionary-encoded text), ``event_time_ms`` int64, ``value`` float64, ``source_partition``
int32, ``source_offset`` int64, and the extra columns that the entity's views declare: float64 (NaN:
absent), or a fixed-size list of float64 for multi-valued attributes.
"""

from dataclasses import dataclass, field

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

RANGES_KEY = b"eddyline.ranges"
FIXED_COLUMNS = frozenset(
    {"entity_id", "event", "event_time_ms", "value", "source_partition", "source_offset"}
)

_WRITE = pa.ipc.IpcWriteOptions()
"""Made once: without it, every stream looks up environment variables."""

SourceRanges = dict[int, tuple[int, int]]
"""Source partition of `events` -> (first, last) offset that a batch covers, both inclusive."""


@dataclass(frozen=True, slots=True)
class EntityBatch:
    """The rows of one batch partition made from one poll, in log order of each source partition.

    Attributes
    ----------
    entity_ids : unique ids (a writer may give an Arrow array); ``entity_index`` (n,) int32 points into them
    event_names : unique names, ``impression``, ``interaction/<action>``, ``item`` or ``user``;
        ``event_index`` (n,) int32 points into them
    event_time_ms : (n,) int64
    value : (n,) float64, the interaction's value, 1 for an impression
    source_partition, source_offset : (n,) int32 and int64, where in `events` each row comes from
    ranges : the offsets of `events` that this batch covers, with or without rows
    extra : column -> (n,) or (n, k) float64, NaN where absent
    """

    entity_ids: list[str]
    entity_index: NDArray[np.int32]
    event_names: list[str]
    event_index: NDArray[np.int32]
    event_time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    source_partition: NDArray[np.int32]
    source_offset: NDArray[np.int64]
    ranges: SourceRanges
    extra: dict[str, NDArray[np.float64]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.event_time_ms)


def encode_entity_batch(batch: EntityBatch) -> bytes:
    """Arrow IPC stream of ``batch``; the ranges travel in the schema's metadata."""
    columns: dict[str, pa.Array] = {
        "entity_id": pa.DictionaryArray.from_arrays(batch.entity_index, _texts(batch.entity_ids)),
        "event": pa.DictionaryArray.from_arrays(batch.event_index, pa.array(batch.event_names, pa.string())),
        "event_time_ms": pa.array(batch.event_time_ms),
        "value": pa.array(batch.value),
        "source_partition": pa.array(batch.source_partition),
        "source_offset": pa.array(batch.source_offset),
    }
    columns |= {name: _to_arrow(values) for name, values in batch.extra.items()}
    return write_ipc(columns, {RANGES_KEY: encode_ranges(batch.ranges)})


def decode_entity_batch(payload: bytes) -> EntityBatch:
    """The batch in one Kafka message.

    Raises
    ------
    pyarrow.ArrowInvalid
        When the bytes are not an Arrow IPC stream.
    KeyError
        When a fixed column is absent.
    """
    record = read_ipc(payload)
    entity, event = record.column("entity_id"), record.column("event")
    return EntityBatch(
        entity_ids=entity.dictionary.to_pylist(),
        entity_index=entity.indices.to_numpy(),
        event_names=event.dictionary.to_pylist(),
        event_index=event.indices.to_numpy(),
        event_time_ms=record.column("event_time_ms").to_numpy(),
        value=record.column("value").to_numpy(),
        source_partition=record.column("source_partition").to_numpy(),
        source_offset=record.column("source_offset").to_numpy(),
        ranges=decode_ranges(record.schema.metadata[RANGES_KEY]),
        extra={
            name: _from_arrow(record.column(name))
            for name in record.schema.names
            if name not in FIXED_COLUMNS
        },
    )


def write_ipc(columns: dict[str, pa.Array], metadata: dict[bytes, bytes]) -> bytes:
    """One record batch as an Arrow IPC stream, with schema metadata."""
    schema = pa.schema([pa.field(name, array.type) for name, array in columns.items()], metadata=metadata)
    return write_record_batch(pa.record_batch(list(columns.values()), schema=schema))


def write_record_batch(rows: pa.RecordBatch) -> bytes:
    """``rows`` as an Arrow IPC stream, with their own schema."""
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, rows.schema, options=_WRITE) as writer:
        writer.write_batch(rows)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def read_ipc(payload: bytes) -> pa.RecordBatch:
    """The one record batch of an Arrow IPC stream, without copying its buffers."""
    with pa.ipc.open_stream(payload) as reader:
        return reader.read_next_batch()


def encode_ranges(ranges: SourceRanges) -> bytes:
    """JSON of ``{partition: [first, last]}``."""
    return msgspec.json.encode(ranges)


def decode_ranges(payload: bytes) -> SourceRanges:
    """The inverse of :func:`encode_ranges`."""
    return msgspec.json.decode(payload, type=SourceRanges)


def _texts(texts: list[str]) -> pa.Array:
    return texts if isinstance(texts, pa.Array) else pa.array(texts, pa.string())


def _to_arrow(values: NDArray[np.float64]) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def _from_arrow(array: pa.Array) -> NDArray[np.float64]:
    if pa.types.is_fixed_size_list(array.type):
        flat: NDArray[np.float64] = array.flatten().to_numpy()
        return flat.reshape(len(array), array.type.list_size)
    column: NDArray[np.float64] = array.to_numpy()
    return column

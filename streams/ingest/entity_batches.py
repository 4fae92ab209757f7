"""The rows of one entity, cut into a batch per batch partition."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.schema.batches import EntityBatch, SourceRanges
from feature_store.schema.ids import SEPARATOR
from streams.ingest.joined_rows import JoinedRows, Part, is_column
from streams.ingest.routes import EntityRoute

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class _Keyed:
    """The entity of each of n rows: ``index`` (n,) points into ``ids`` (m,), sorted by ``partition`` (m,)."""

    ids: pa.Array
    partition: NDArray[np.int16]
    index: Ints


class EntityBatcher:
    """Makes the batches of one entity.

    Parameters
    ----------
    route : the entity, the events it takes, the extra columns it needs

    Raises
    ------
    ValueError
        When the route asks for a column that ingest does not know.
    """

    def __init__(self, route: EntityRoute) -> None:
        for name in route.columns:
            if not is_column(name):
                raise ValueError(f"entity {route.entity}: no batch column is named {name}")
        self.route = route

    def batches(self, joined: JoinedRows, ranges: SourceRanges) -> Iterator[tuple[int, EntityBatch]]:
        """Each batch partition that has rows, with its batch, which covers ``ranges``."""
        rows = joined.rows
        taken = np.array([self.route.takes(name) for name in rows.event_names], bool)
        parts = [joined.part(name) for name in self.route.parts]
        event, codes = _combinations(parts, np.flatnonzero(taken[rows.event]))
        if not len(event):
            return
        keyed = _key(codes, parts)
        columns = {name: joined.column(name) for name in self.route.columns}
        for partition, ids, chosen in _partitions(keyed):
            at = event[chosen]
            yield (
                partition,
                EntityBatch(
                    entity_ids=keyed.ids[ids],
                    entity_index=(keyed.index[chosen] - ids.start).astype(np.int32),
                    event_names=rows.event_names,
                    event_index=rows.event[at],
                    event_time_ms=rows.event_time_ms[at],
                    value=rows.value[at],
                    source_partition=rows.source_partition[at],
                    source_offset=rows.source_offset[at],
                    ranges=ranges,
                    extra={name: values[at] for name, values in columns.items()},
                ),
            )


def _combinations(parts: list[Part], event: Ints) -> tuple[Ints, list[Ints]]:
    """The events that have every part, once per combination of their values, and its codes."""
    codes: list[Ints] = []
    for part in parts:
        of_part = part.codes[event]
        at, nth = np.nonzero(of_part)
        event, codes = event[at], [*(code[at] for code in codes), of_part[at, nth]]
    return event, codes


def _key(codes: list[Ints], parts: list[Part]) -> _Keyed:
    """Number the distinct combinations of codes, in the order of their batch partitions."""
    key = codes[0]
    for code, part in zip(codes[1:], parts[1:], strict=True):
        key = key * len(part.texts) + code
    encoded = pa.array(key).dictionary_encode()
    distinct = _split(encoded.dictionary.to_numpy(), parts)
    partition = parts[0].partition[distinct[0]].astype(np.int16)
    order = np.argsort(partition, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    texts = [part.texts.take(pa.array(code[order])) for part, code in zip(parts, distinct, strict=True)]
    return _Keyed(
        ids=texts[0] if len(texts) == 1 else pc.binary_join_element_wise(*texts, SEPARATOR),
        partition=partition[order],
        index=rank[encoded.indices.to_numpy()],
    )


def _split(key: Ints, parts: list[Part]) -> list[Ints]:
    """The codes that were combined into each key."""
    codes: list[Ints] = []
    for part in reversed(parts[1:]):
        key, code = np.divmod(key, len(part.texts))
        codes.insert(0, code)
    return [key, *codes]


def _partitions(keyed: _Keyed) -> Iterator[tuple[int, slice, Ints]]:
    """Each partition with its slice of the ids and its rows, in their order."""
    of_row = keyed.partition[keyed.index]
    order = np.argsort(of_row, kind="stable")
    present = np.flatnonzero(np.bincount(keyed.partition))
    ids = np.searchsorted(keyed.partition, [present, present + 1])
    at = np.searchsorted(of_row[order], [present, present + 1])
    for partition, id_from, id_to, row_from, row_to in zip(present, *ids, *at, strict=True):
        yield int(partition), slice(int(id_from), int(id_to)), order[row_from:row_to]

"""The rows of one entity, cut into a batch per batch partition."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.batches import EntityBatch, SourceRanges
from feature_store.schema.ids import SEPARATOR
from streams.ingest.attributes import AttributeColumn
from streams.ingest.item_columns import ItemColumns
from streams.ingest.registry import Registry
from streams.ingest.routes import EntityRoute
from streams.ingest.rows import EventRows

Ints = NDArray[np.int64]
Column = Callable[[EventRows], NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class _Keyed:
    """The entity of each of n rows: ``index`` (n,) points into ``ids`` (m,), sorted by ``partition`` (m,)."""

    ids: list[str]
    partition: NDArray[np.int32]
    index: Ints


class EntityBatcher:
    """Makes the batches of one entity.

    Parameters
    ----------
    route : the entity, the events it takes, the extra columns it needs
    items : joined onto the events

    Raises
    ------
    ValueError
        When the route asks for a column that ingest does not know.
    """

    def __init__(self, route: EntityRoute, items: ItemColumns) -> None:
        self.route = route
        self._items = items
        self._columns = {name: self._column(name) for name in route.columns}

    def batches(self, rows: EventRows, ranges: SourceRanges) -> Iterator[tuple[int, EntityBatch]]:
        """Each batch partition that has rows, with its batch, which covers ``ranges``."""
        taken = np.array([self.route.takes(name) for name in rows.event_names], bool)
        event, codes = self._combinations(rows, np.flatnonzero(taken[rows.event]))
        if not len(event):
            return
        keyed = _key(codes, [self._registry(part, rows) for part in self.route.parts])
        columns = {name: column(rows) for name, column in self._columns.items()}
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

    def _combinations(self, rows: EventRows, event: Ints) -> tuple[Ints, list[Ints]]:
        """The events that have every part, once per combination of their values, and its codes."""
        codes: list[Ints] = []
        for part in self.route.parts:
            of_part = self._codes(part, rows, event)
            at, nth = np.nonzero(of_part)
            event, codes = event[at], [*(code[at] for code in codes), of_part[at, nth]]
        return event, codes

    def _codes(self, part: str, rows: EventRows, event: Ints) -> Ints:
        """(n, k) codes of a part of each event, 0 where it has none."""
        if part == "user":
            return rows.user[event, None]
        item = rows.item[event]
        if part == "item":
            return item[:, None]
        if part == "creator":
            return self._items.creator(item)[:, None]
        return self._items.value_codes(part, item)

    def _registry(self, part: str, rows: EventRows) -> Registry:
        known = {"user": rows.users, "item": self._items.ids, "creator": self._items.creators}
        return known[part] if part in known else self._items.values[part]

    def _column(self, name: str) -> Column:
        if name == "item_hash":
            return lambda rows: _hash(self._items.ids, rows.item)
        if name == "creator_hash":
            return lambda rows: _hash(self._items.creators, self._items.creator(rows.item))
        attribute = AttributeColumn.parse(name)
        if attribute is None:
            raise ValueError(f"entity {self.route.entity}: no batch column is named {name}")
        return lambda rows: _attribute(attribute, self._items, rows)


def _hash(registry: Registry, codes: Ints) -> NDArray[np.float64]:
    return np.where(codes, registry.hash[codes], np.nan)


def _attribute(column: AttributeColumn, items: ItemColumns, rows: EventRows) -> NDArray[np.float64]:
    """The attribute of the event itself where it is an item's or a user's, else of its item."""
    values = items.attribute(column, rows.item)
    for i, attributes in rows.own_attributes:
        values[i] = column.encode(attributes)
    return values


def _key(codes: list[Ints], registries: list[Registry]) -> _Keyed:
    """Number the distinct combinations of codes, in the order of their batch partitions."""
    key = codes[0]
    for code, registry in zip(codes[1:], registries[1:], strict=True):
        key = key * len(registry) + code
    encoded = pa.array(key).dictionary_encode()
    parts = _split(encoded.dictionary.to_numpy(), registries)
    partition = registries[0].partition[parts[0]]
    order = np.argsort(partition, kind="stable")
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    return _Keyed(
        ids=_joined(
            [_texts(registry, part[order]) for part, registry in zip(parts, registries, strict=True)]
        ),
        partition=partition[order],
        index=rank[encoded.indices.to_numpy()],
    )


def _split(key: Ints, registries: list[Registry]) -> list[Ints]:
    """The codes that were combined into each key."""
    parts: list[Ints] = []
    for registry in reversed(registries[1:]):
        key, code = np.divmod(key, len(registry))
        parts.insert(0, code)
    return [key, *parts]


def _texts(registry: Registry, codes: Ints) -> list[str]:
    return list(map(registry.texts.__getitem__, codes.tolist()))


def _joined(parts: list[list[str]]) -> list[str]:
    return parts[0] if len(parts) == 1 else list(map(SEPARATOR.join, zip(*parts, strict=True)))


def _partitions(keyed: _Keyed) -> Iterator[tuple[int, slice, Ints]]:
    """Each partition with its slice of the ids and its rows, in their order."""
    of_row = keyed.partition[keyed.index]
    order = np.argsort(of_row, kind="stable")
    present = np.flatnonzero(np.bincount(keyed.partition))
    ids = np.searchsorted(keyed.partition, [present, present + 1])
    at = np.searchsorted(of_row[order], [present, present + 1])
    for partition, id_from, id_to, row_from, row_to in zip(present, *ids, *at, strict=True):
        yield int(partition), slice(int(id_from), int(id_to)), order[row_from:row_to]

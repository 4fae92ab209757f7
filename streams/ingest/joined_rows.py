"""A step's rows joined with what is known of their items; what entities share is computed once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from streams.ingest.attributes import AttributeColumn
from streams.ingest.item_columns import ItemColumns
from streams.ingest.registry import Registry
from streams.ingest.rows import EventRows

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of an entity, e.g. its creator, of each of n events.

    Attributes
    ----------
    codes : (n, k) one code per value, 0 where there is none
    texts, partition : of each of the m codes that occur in the step
    """

    codes: Ints
    texts: pa.Array
    partition: NDArray[np.int32]


class JoinedRows:
    """The rows of one step, with parts of entities and extra columns by name.

    Parameters
    ----------
    rows : the events
    users, items : what their codes mean
    """

    def __init__(self, rows: EventRows, users: Registry, items: ItemColumns) -> None:
        self.rows = rows
        self._users = users
        self._items = items
        self._parts: dict[str, Part] = {}
        self._columns: dict[str, NDArray[np.float64]] = {}

    def part(self, name: str) -> Part:
        """``user``, ``item``, ``creator`` or an attribute of the item."""
        if name not in self._parts:
            self._parts[name] = self._make_part(name)
        return self._parts[name]

    def column(self, name: str) -> NDArray[np.float64]:
        """(n,) or (n, k) values of an extra column, NaN where absent."""
        if name not in self._columns:
            self._columns[name] = self._make_column(name)
        return self._columns[name]

    def _make_part(self, name: str) -> Part:
        rows, items = self.rows, self._items
        if name == "user":
            return _part(rows.user[:, None], self._users)
        if name == "item":
            return _part(rows.item[:, None], items.ids)
        if name == "creator":
            return _part(items.creator(rows.item)[:, None], items.creators)
        return _part(items.value_codes(name, rows.item), items.values[name])

    def _make_column(self, name: str) -> NDArray[np.float64]:
        items, item = self._items, self.rows.item
        if name in _HASHES:
            return _HASHES[name](items, item)
        attribute = AttributeColumn.parse(name)
        assert attribute is not None, name
        values = items.attribute(attribute, item)
        for i, attributes in self.rows.own_attributes:
            values[i] = attribute.encode(attributes)
        return values


def is_column(name: str) -> bool:
    """Whether ingest can make a batch column of this name."""
    return name in _HASHES or AttributeColumn.parse(name) is not None


def _part(codes: Ints, registry: Registry) -> Part:
    """Number the codes that occur; 0 stays 0."""
    used = np.zeros(len(registry), bool)
    used[codes] = True
    used[0] = True
    occurring = np.flatnonzero(used)
    number = np.zeros(len(registry), np.int64)
    number[occurring] = np.arange(len(occurring))
    texts = list(map(registry.texts.__getitem__, occurring.tolist()))
    return Part(number[codes], pa.array(texts, pa.string()), registry.partition[occurring])


def _hash(registry: Registry, codes: Ints) -> NDArray[np.float64]:
    return np.where(codes, registry.hash[codes], np.nan)


_HASHES: dict[str, Callable[[ItemColumns, Ints], NDArray[np.float64]]] = {
    "item_hash": lambda items, item: _hash(items.ids, item),
    "creator_hash": lambda items, item: _hash(items.creators, items.creator(item)),
}

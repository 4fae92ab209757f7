"""Items as columns: what ingest joins onto impressions and interactions, gathered by row."""

from collections import deque
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from feature_store.items import ItemRecord, ItemTable
from feature_store.schema.ids import SEPARATOR
from streams.ingest.attributes import AttributeColumn, texts_of
from streams.ingest.registry import Registry, grown

NOBODY = 0
"""Row of *no item*, code of *no creator* and of *no value*."""

_MAX_ID_CHARACTERS = 128


class ItemColumns:
    """The items of a table by row, with the creator and the attributes that batches need.

    Rows of items that the table does not know are lent for one step (:meth:`forget_strangers`), so
    that memory is bounded by the table. Texts of creators and values are kept.

    Parameters
    ----------
    table : followed from now on; its changes are taken in by :meth:`refresh`
    partitions : batch partitions
    columns : attribute columns that batches hold
    values : attributes that are parts of entities
    """

    def __init__(
        self, table: ItemTable, partitions: int, columns: Iterable[AttributeColumn], values: Iterable[str]
    ) -> None:
        self.ids = Registry(partitions)
        self.creators = Registry(partitions)
        self.values = {name: Registry(partitions) for name in values}
        self._creator = np.zeros(1024, np.int64)
        self._attributes = {
            column: np.full((1024, *column.shape), np.nan) for column in dict.fromkeys(columns)
        }
        self._codes = {name: np.zeros((1024, 1), np.int64) for name in self.values}
        self._changes: deque[ItemRecord] = deque()
        for registry in (self.ids, self.creators, *self.values.values()):
            registry.add("")  # its code is NOBODY; no id is empty
        self._known = len(self.ids)
        self.values_skipped = 0
        table.subscribe(self._changes.append)

    def refresh(self) -> None:
        """Take in what changed in the table since the last call."""
        while self._changes:
            self._take(self._changes.popleft())
        self._known = len(self.ids)

    def rows(self, item_ids: list[str]) -> NDArray[np.int64]:
        """(n,) row of each item, a lent one for those that the table does not know."""
        rows = self.ids.codes(item_ids)
        self._reserve()
        self._clear(slice(self._known, len(self.ids)))
        return rows

    def forget_strangers(self) -> None:
        """Take back the rows that were lent."""
        self.ids.truncate(self._known)

    def creator(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n,) code of each row's creator."""
        return self._creator[rows]

    def attribute(self, column: AttributeColumn, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """(n,) or (n, width) values of each row."""
        return self._attributes[column][rows]

    def value_codes(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """(n, k) codes of each row's values of an attribute, filled up with ``NOBODY``."""
        return self._codes[name][rows]

    def _take(self, record: ItemRecord) -> None:
        row = self.ids.add(record.item_id)
        self._reserve()
        self._creator[row] = self.creators.add(record.creator_id or "")
        for column, values in self._attributes.items():
            values[row] = column.encode(record.attributes)
        for name, registry in self.values.items():
            self._set_codes(name, row, self._codes_of(registry, record.attributes.get(name)))

    def _codes_of(self, registry: Registry, value: object) -> list[int]:
        texts = texts_of(value)
        fit = [text for text in texts if _fits_an_id(text)]
        self.values_skipped += len(texts) - len(fit)
        return [registry.add(text) for text in fit]

    def _set_codes(self, name: str, row: int, codes: list[int]) -> None:
        matrix = self._codes[name]
        if len(codes) > matrix.shape[1]:
            wider = np.zeros((len(matrix), len(codes)), np.int64)
            wider[:, : matrix.shape[1]] = matrix
            self._codes[name] = matrix = wider
        matrix[row] = NOBODY
        matrix[row, : len(codes)] = codes

    def _reserve(self) -> None:
        size = len(self.ids)
        if len(self._creator) >= size:
            return
        self._creator = grown(self._creator, size)
        self._attributes = {column: grown(values, size) for column, values in self._attributes.items()}
        self._codes = {name: grown(codes, size) for name, codes in self._codes.items()}

    def _clear(self, rows: slice) -> None:
        self._creator[rows] = NOBODY
        for values in self._attributes.values():
            values[rows] = np.nan
        for codes in self._codes.values():
            codes[rows] = NOBODY


def _fits_an_id(text: str) -> bool:
    return 0 < len(text) <= _MAX_ID_CHARACTERS and text.isprintable() and SEPARATOR not in text

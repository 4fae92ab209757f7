"""The id columns of a model, from memory alone."""

import re
from collections.abc import Sequence

import numpy as np

from feature_store.schema.ids import hash53
from feature_store.views import IdColumn
from ranker.pipeline.batch import CandidateBatch, Int64
from ranker.pipeline.items import ItemColumns

_ATTRIBUTE = re.compile(r"attribute:(?P<name>[^\[]+)\[(?P<place>\d+)\]")


def attribute_width(columns: Sequence[IdColumn]) -> dict[str, int]:
    """How many values of each item attribute the columns read."""
    widths: dict[str, int] = {}
    for name, place in filter(None, map(_attribute_of, columns)):
        widths[name] = max(widths.get(name, 0), place + 1)
    return widths


class IdColumns:
    """Reads hashed ids.

    Parameters
    ----------
    columns : of the feature service, in its order
    others : columns that follow, for others to fill

    Raises
    ------
    ValueError
        A column's source is none that a ranker knows.
    """

    def __init__(self, columns: Sequence[IdColumn], items: ItemColumns, others: int = 0) -> None:
        self._items = items
        self._columns = [(column.source, _attribute_of(column)) for column in columns]
        self._attributes = tuple(attribute_width(columns))
        self._width = len(columns) + others
        for column, (_, attribute) in zip(columns, self._columns, strict=True):
            if column.source not in ("user_id", "item_id", "creator_id") and attribute is None:
                raise ValueError(f"id column {column.name}: unknown source {column.source!r}")

    def read(self, user_id: str, batch: CandidateBatch) -> Int64:
        """(n, m) int64, 0 where there is none."""
        ids = np.empty((len(batch), self._width), np.int64)
        hashes = {name: self._items.texts[name].hashes_of(batch.rows) for name in self._attributes}
        for number, (source, attribute) in enumerate(self._columns):
            if attribute is None:
                ids[:, number] = _plain(source, user_id, batch)
            else:
                name, place = attribute
                ids[:, number] = hashes[name][:, place] if place < hashes[name].shape[1] else 0
        return ids


def _plain(source: str, user_id: str, batch: CandidateBatch) -> Int64 | int:
    if source == "user_id":
        return hash53(user_id)
    return batch.item_hash if source == "item_id" else batch.creator_hash


def _attribute_of(column: IdColumn) -> tuple[str, int] | None:
    found = _ATTRIBUTE.fullmatch(column.source)
    return (found["name"], int(found["place"])) if found else None

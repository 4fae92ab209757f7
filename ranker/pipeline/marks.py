"""Which versions of the rows a request has read: kept as read, spread over the candidates when logged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from feature_store.schema.served import RowMarks
from ranker.pipeline.batch import Float64, Index, Int32, Int64


@dataclass(frozen=True, slots=True)
class RowsRead:
    """The rows of one view. Entities of several views are numbered together, from ``first`` on those of this.

    Attributes
    ----------
    view : its name
    several : whether a candidate may have several
    partition : (r,) of each entity, or that of all
    at : (d + 1,) of each number, the place of its row in ``folded_with``; the last number: no entity
    folded_with : (f + 1,) offset of the batch that each row was last folded with, the last −1: no row
    index : (w, n) numbers of each candidate's entities
    """

    view: str
    several: bool
    partition: Int32 | int
    first: int
    at: Index
    folded_with: Float64
    index: Int64

    def take(self, index: Index) -> "RowsRead":
        """The same for the candidates at ``index``."""
        return replace(self, index=self.index.take(index, axis=1))

    @property
    def names(self) -> tuple[str, ...]:
        """The view's name, or ``view[i]`` where a candidate may have several rows."""
        return _places(self.view, len(self.index)) if self.several else (self.view,)

    def entities(self, none: int) -> Int64:
        """(n, w) which of the view's entities each candidate has, ``none`` where it has none."""
        return np.where(self.index == len(self.at) - 1, none, self.index - self.first).T

    def row_offsets(self, numbers: Int64) -> Float64:
        """Of the rows of the entities that have these numbers, −1 where there is none."""
        return self.folded_with.take(self.at.take(numbers))

    def partitions(self, numbers: Int64) -> Int32 | int:
        """Of the entities that have these numbers, anything for no entity; or that of all."""
        if isinstance(self.partition, int):
            return self.partition
        return self.partition.take(numbers - self.first, mode="clip") if len(self.partition) else -1


def row_marks(rows_read: Sequence[RowsRead], index: Index) -> RowMarks:
    """The marks of the candidates at ``index``."""
    width = sum(len(rows.index) for rows in rows_read)
    row_offset = np.empty((width, len(index)), np.int64)
    partition = np.empty((width, len(index)), np.int32)
    start = 0
    for rows in rows_read:
        place = slice(start, start := start + len(rows.index))
        numbers = rows.index.take(index, axis=1)
        row_offset[place] = rows.row_offsets(numbers)
        partition[place] = rows.partitions(numbers)
    partition[row_offset < 0] = -1
    return RowMarks(tuple(name for rows in rows_read for name in rows.names), partition, row_offset)


@lru_cache(256)
def _places(view: str, width: int) -> tuple[str, ...]:
    return tuple(f"{view}[{i}]" for i in range(width))

"""Which versions of the rows a request has read: kept as read, spread over the candidates when logged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
    def names(self) -> list[str]:
        """The view's name, or ``view[i]`` where a candidate may have several rows."""
        return [f"{self.view}[{i}]" for i in range(len(self.index))] if self.several else [self.view]

    def entities(self, none: int) -> Int64:
        """(n, w) which of the view's entities each candidate has, ``none`` where it has none."""
        return np.where(self.index == len(self.at) - 1, none, self.index - self.first).T

    @property
    def partitions(self) -> Int32 | int:
        """(w, n) of each candidate's entities, anything where there is none; or that of all."""
        if isinstance(self.partition, int):
            return self.partition
        return np.append(self.partition, np.int32(-1)).take(self.entities(-1).T)

    @property
    def row_offsets(self) -> Float64:
        """(w, n) of each candidate's rows, −1 where there is none."""
        return self.folded_with.take(self.at.take(self.index))


def row_marks(rows_read: Sequence[RowsRead], index: Index) -> RowMarks:
    """The marks of the candidates at ``index``."""
    read = [rows.take(index) for rows in rows_read]
    nothing = np.empty((0, len(index)))
    offsets = np.concatenate([nothing, *(rows.row_offsets for rows in read)])
    partitions = np.empty(offsets.shape, np.int32)
    start = 0
    for rows in read:
        partitions[start : start + len(rows.index)] = rows.partitions
        start += len(rows.index)
    return RowMarks(
        names=tuple(name for rows in read for name in rows.names),
        partition=np.where(offsets < 0, np.int32(-1), partitions),
        row_offset=offsets.astype(np.int64),
    )

"""Which versions of the rows a request has read: kept as read, spread over the candidates when logged."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate

import numpy as np

from feature_store.schema.served import RowMarks
from ranker.pipeline.batch import Index, Int32, Int64


@dataclass(frozen=True, slots=True)
class RowsRead:
    """The rows of one view.

    Attributes
    ----------
    view : its name
    partition, row_offset : (r,) of each row, offset −1 where there was none
    index : (n, w) the rows of each candidate, r: none
    """

    view: str
    partition: Int32
    row_offset: Int64
    index: Int64

    def take(self, index: Index) -> "RowsRead":
        """The same for the candidates at ``index``."""
        return replace(self, index=self.index[index])

    @property
    def names(self) -> list[str]:
        """The view's name, or ``view[i]`` where a candidate may have several rows."""
        width = self.index.shape[1]
        return [self.view] if width == 1 else [f"{self.view}[{i}]" for i in range(width)]


def row_marks(rows_read: Sequence[RowsRead], index: Index) -> RowMarks:
    """The marks of the candidates at ``index``, of all views by one look-up."""
    if not rows_read:
        return RowMarks((), np.empty((0, len(index)), np.int32), np.empty((0, len(index)), np.int64))
    none = (np.array([-1], np.int32), np.array([-1]))
    partition = np.concatenate([part for rows in rows_read for part in (rows.partition, none[0])])
    row_offset = np.concatenate([part for rows in rows_read for part in (rows.row_offset, none[1])])
    starts = accumulate((len(rows.row_offset) + 1 for rows in rows_read), initial=0)
    places = np.concatenate(
        [rows.index.take(index, axis=0).T + start for rows, start in zip(rows_read, starts, strict=False)]
    )
    offsets = row_offset.take(places)
    return RowMarks(
        names=tuple(name for rows in rows_read for name in rows.names),
        partition=np.where(offsets < 0, np.int32(-1), partition.take(places)),
        row_offset=offsets,
    )

"""Which versions of the rows a request has read: kept as read, spread over the candidates when logged."""

from dataclasses import dataclass, replace

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

    def marks(self) -> dict[str, RowMarks]:
        """(n,) marks under the view's name, ``view[i]`` where a candidate may have several rows."""
        offsets = np.append(self.row_offset, -1)
        partitions = np.where(offsets < 0, -1, np.append(self.partition, -1)).astype(np.int32)
        width = self.index.shape[1]
        names = [self.view] if width == 1 else [f"{self.view}[{i}]" for i in range(width)]
        return {
            name: RowMarks(partitions[places], offsets[places])
            for name, places in zip(names, self.index.T, strict=True)
        }

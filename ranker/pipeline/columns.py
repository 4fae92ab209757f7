"""Columns that grow while others read them: one writer, any number of readers, no lock."""

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from feature_store.schema.ids import hash53, partition_of

_FIRST_CAPACITY = 1024


class GrowingColumn:
    """A numpy array, (rows,) or (rows, width), that doubles when a row lies beyond its end.

    Readers take :attr:`values` once per request: they see a whole array, the old or the new one. Its last
    row is never set, so that row −1, *none*, reads the fill value.
    """

    def __init__(self, dtype: DTypeLike, fill: Any, width: int | None = None) -> None:
        self._fill = fill
        self._tail = () if width is None else (width,)
        self.values: NDArray[Any] = np.full((_FIRST_CAPACITY, *self._tail), fill, dtype)

    def put(self, row: int, value: Any) -> None:
        """Set one row; rows never set hold the fill value."""
        if row >= len(self.values) - 1:
            more = np.full((max(len(self.values), row + 1), *self._tail), self._fill, self.values.dtype)
            self.values = np.concatenate((self.values, more))
        self.values[row] = value


class GrowingLists:
    """Several numbers a row, 0 where a row has fewer: as wide as the longest row so far, at least ``width``.

    Readers take :attr:`values`, (rows, width) int64, once per request. Its last row is never set.
    """

    def __init__(self, width: int) -> None:
        self.values = np.zeros((_FIRST_CAPACITY, width), np.int64)

    def put(self, row: int, numbers: list[int]) -> None:
        """Set one row; rows never set hold no numbers."""
        rows, width = self.values.shape
        if row >= rows - 1 or len(numbers) > width:
            longer = rows if row < rows - 1 else rows + max(rows, row + 1)
            more = np.zeros((longer, max(width, len(numbers))), np.int64)
            more[:rows, :width] = self.values
            self.values = more
        self.values[row] = numbers + [0] * (self.values.shape[1] - len(numbers))


class Vocabulary:
    """Texts, numbered from 1 in the order in which they came; number 0 is *none*, with hash 0.

    Parameters
    ----------
    partitions : of the batch topics
    """

    def __init__(self, partitions: int) -> None:
        self.texts: list[str] = [""]
        self._count = partitions
        self._hashes = GrowingColumn(np.int64, 0)
        self._partitions = GrowingColumn(np.int32, 0)

    @property
    def hashes(self) -> NDArray[np.int64]:
        """53-bit hash by number, int64."""
        return self._hashes.values

    @property
    def partitions(self) -> NDArray[np.int32]:
        """Batch partition by number, int32."""
        return self._partitions.values

    def add(self, text: str) -> int:
        """The number of a new text."""
        number = len(self.texts)
        self._hashes.put(number, hash53(text))
        self._partitions.put(number, partition_of(text, self._count))
        self.texts.append(text)
        return number

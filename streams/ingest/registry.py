"""Texts with small integer codes, and what is derived from each once."""

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.ids import hash53_column, partition_column
from streams.numbering import Numbering


class Registry:
    """Ids without parts by code (0, 1, 2 …), with the batch partition and the hash of each."""

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._codes = Numbering()
        self._partition = np.zeros(1024, np.int32)
        self._hash = np.zeros(1024, np.float64)
        self._placed = self._hashed = 0

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def texts(self) -> list[str]:
        """Code -> text."""
        return self._codes.words

    @property
    def partition(self) -> NDArray[np.int32]:
        """(n,) batch partition of an entity whose id begins with the text."""
        size = len(self.texts)
        self._partition = grown(self._partition, size)
        self._partition[self._placed : size] = partition_column(self.texts[self._placed :], self._partitions)
        self._placed = size
        return self._partition[:size]

    @property
    def hash(self) -> NDArray[np.float64]:
        """(n,) ``hash53`` of each text."""
        size = len(self.texts)
        self._hash = grown(self._hash, size)
        self._hash[self._hashed : size] = hash53_column(self.texts[self._hashed :])
        self._hashed = size
        return self._hash[:size]

    def add(self, text: str) -> int:
        """The code of ``text``, a new one if it has none."""
        return self._codes[text]

    def codes(self, texts: list[str]) -> NDArray[np.int64]:
        """(n,) codes of texts, new ones for those that have none."""
        return np.fromiter(map(self._codes.__getitem__, texts), np.int64, len(texts))

    def truncate(self, size: int) -> None:
        """Forget the texts whose code is ``size`` or more."""
        self._codes.truncate(size)
        self._placed, self._hashed = min(self._placed, size), min(self._hashed, size)


def grown(array: NDArray, size: int) -> NDArray:  # type: ignore[type-arg]
    """``array`` itself where it has ``size`` rows, else with twice as many as needed, the new ones zero."""
    if len(array) >= size:
        return array
    larger = np.zeros((2 * size, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger

"""Texts with small integer codes, and what is derived from each once."""

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.ids import hash53_column, partition_column


class Registry:
    """Ids without parts by code (0, 1, 2 …), with the batch partition and the hash of each.

    Attributes
    ----------
    texts : code -> text
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self._codes: dict[str, int] = {}
        self.texts: list[str] = []
        self._partition = np.zeros(1024, np.int32)
        self._hash = np.zeros(1024, np.float64)
        self._hashed = 0

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def partition(self) -> NDArray[np.int32]:
        """(n,) batch partition of an entity whose id begins with the text."""
        return self._partition[: len(self.texts)]

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
        code = self._codes.get(text)
        if code is None:
            code = len(self.texts)
            self._append([text])
        return code

    def codes(self, texts: list[str]) -> NDArray[np.int64]:
        """(n,) codes of texts, new ones for those that have none."""
        known = self._codes
        unknown = set(texts).difference(known)
        if unknown:
            self._append(list(unknown))
        return np.fromiter(map(known.__getitem__, texts), np.int64, len(texts))

    def truncate(self, size: int) -> None:
        """Forget the texts whose code is ``size`` or more."""
        for text in self.texts[size:]:
            del self._codes[text]
        del self.texts[size:]
        self._hashed = min(self._hashed, size)

    def _append(self, texts: list[str]) -> None:
        first, end = len(self.texts), len(self.texts) + len(texts)
        self._codes.update(zip(texts, range(first, end), strict=True))
        self.texts.extend(texts)
        self._partition = grown(self._partition, end)
        self._partition[first:end] = partition_column(texts, self._partitions)


def grown(array: NDArray, size: int) -> NDArray:  # type: ignore[type-arg]
    """``array`` itself where it has ``size`` rows, else with twice as many as needed, the new ones zero."""
    if len(array) >= size:
        return array
    larger = np.zeros((2 * size, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger

"""Texts with small integer codes, and what is derived from each once."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.ids import hash53, partition_of


class Registry:
    """Texts by code (0, 1, 2 …), with the batch partition and the hash of each.

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

    def __len__(self) -> int:
        return len(self.texts)

    @property
    def partition(self) -> NDArray[np.int32]:
        """(n,) batch partition of an entity whose id begins with the text."""
        return self._partition[: len(self.texts)]

    @property
    def hash(self) -> NDArray[np.float64]:
        """(n,) ``hash53`` of each text."""
        return self._hash[: len(self.texts)]

    def add(self, text: str) -> int:
        """The code of ``text``, a new one if it has none."""
        code = self._codes.get(text)
        if code is not None:
            return code
        code = len(self.texts)
        if code == len(self._hash):
            self._partition = grown(self._partition)
            self._hash = grown(self._hash)
        self._codes[text] = code
        self.texts.append(text)
        self._partition[code] = partition_of(text, self._partitions)
        self._hash[code] = hash53(text)
        return code

    def codes(self, texts: list[str]) -> NDArray[np.int64]:
        """(n,) codes of texts, new ones for those that have none."""
        for text in self._unknown(texts):
            self.add(text)
        return np.fromiter(map(self._codes.__getitem__, texts), np.int64, len(texts))

    def truncate(self, size: int) -> None:
        """Forget the texts whose code is ``size`` or more."""
        for text in self.texts[size:]:
            del self._codes[text]
        del self.texts[size:]

    def _unknown(self, texts: list[str]) -> Iterable[str]:
        return [text for text in dict.fromkeys(texts) if text not in self._codes]


def grown(array: NDArray) -> NDArray:  # type: ignore[type-arg]
    """``array`` with twice the rows, the new ones zero."""
    larger = np.zeros((2 * len(array), *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger

"""Texts of which few are distinct, as numbers: what is asked of a text is asked of each distinct one once."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Categorical:
    """n texts.

    Attributes
    ----------
    codes : (n,) int32 or int64, places among ``names``; −1 of a null
    names : distinct texts, some of which may not occur
    """

    codes: NDArray[np.signedinteger]
    names: tuple[str, ...]

    @classmethod
    def of(cls, texts: pa.Array) -> "Categorical":
        """Strings, or a dictionary of them."""
        encoded = texts if pa.types.is_dictionary(texts.type) else texts.dictionary_encode()
        codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
        return cls(codes, tuple(name or "" for name in encoded.dictionary.to_pylist()))

    def numbers(self, number_of: Callable[[str], int]) -> NDArray[np.int64]:
        """(n,) number that each text stands for; −1 of a null."""
        numbers: NDArray[np.int64] = np.array([*map(number_of, self.names), -1], np.int64)[self.codes]
        return numbers

    def equal(self, name: str) -> Mask:
        """(n,) whether each text is ``name``."""
        equal: Mask = np.array([*(each == name for each in self.names), False])[self.codes]
        return equal

    def where(self, mask: Mask) -> "Categorical":
        """The texts of ``mask`` (n,)."""
        return Categorical(self.codes[mask], self.names)

    def counts(self) -> dict[str, int]:
        """How often each text occurs, but nulls."""
        counts = np.bincount(self.codes[self.codes >= 0], minlength=len(self.names)).tolist()
        return {name: count for name, count in zip(self.names, counts, strict=True) if count}

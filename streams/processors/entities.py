"""Numbers for the ids of one partition, so that everything after decoding works on integers."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from streams.numbering import Numbering

Numbers = NDArray[np.intp]


class Entities:
    """Gives each id of a partition a number, in the order of their first appearance."""

    def __init__(self) -> None:
        self._numbering = Numbering()

    def __len__(self) -> int:
        return len(self._numbering)

    def numbers(self, ids: Sequence[str]) -> Numbers:
        """(n,) the number of each id; new ids get the next ones."""
        return np.fromiter(map(self._numbering.__getitem__, ids), np.intp, len(ids))

    def ids(self, numbers: Numbers) -> list[str]:
        """The id of each number."""
        return list(map(self._numbering.words.__getitem__, numbers.tolist()))

    def keep(self, numbers: Numbers) -> None:
        """Forget all others; those kept are numbered anew, in the order given."""
        self._numbering = Numbering(self.ids(numbers))


def distinct(numbers: Numbers) -> Numbers:
    """Each of ``numbers`` once, ascending (`np.unique` hashes integers first, which takes longer here)."""
    ordered = np.sort(numbers)
    return ordered[np.concatenate(([True], ordered[1:] != ordered[:-1]))] if len(ordered) else ordered


def merged(parts: Iterable[tuple[list[str], NDArray[np.int32]]]) -> tuple[list[str], NDArray[np.int32]]:
    """Dictionary-encoded columns one after the other, with one dictionary."""
    words = Entities()
    indices = [words.numbers(dictionary).astype(np.int32)[index] for dictionary, index in parts]
    return words.ids(np.arange(len(words))), np.concatenate(indices)

"""Candidates and their features as columns: no object per candidate anywhere."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Bool = NDArray[np.bool_]
Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]
Int64 = NDArray[np.int64]
Index = NDArray[np.intp]
Heads = dict[str, Float32]
"""head -> score of each candidate, (n,) float32"""


@dataclass(frozen=True, slots=True)
class CandidateBatch:
    """The candidates of one request, in the order in which they were found.

    Attributes
    ----------
    item_ids : n distinct ids
    rows : (n,) row of each in the item columns, −1 where the item is unknown
    item_hash, creator_hash : (n,) int64 53-bit hashes, 0: none
    partitions : (n,) int32 batch partition of each item's rows
    sources : (n,) int32 index into ``source_names``
    """

    item_ids: list[str]
    rows: Index
    item_hash: Int64
    creator_hash: Int64
    partitions: Int32
    sources: Int32
    source_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.item_ids)

    def take(self, index: Index) -> "CandidateBatch":
        """The candidates at ``index``, in that order."""
        return replace(
            self,
            item_ids=[self.item_ids[i] for i in index.tolist()],
            rows=self.rows[index],
            item_hash=self.item_hash[index],
            creator_hash=self.creator_hash[index],
            partitions=self.partitions[index],
            sources=self.sources[index],
        )

"""Logs with their items and positions as numbers that mean the same in each of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.feedback.scan.log import ExposureLog

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]
Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class CodedLog:
    """n exposures, oldest first.

    Attributes
    ----------
    item : (n,) in 0 .. items - 1
    position : (n,) in 0 .. positions - 1
    time_ms, reward, propensity, cluster : as in :class:`streams.feedback.scan.log.ExposureLog`
    items : how many could have been shown, in any of the logs
    positions : how many there are in any of the logs
    """

    item: Index
    position: Index
    time_ms: Int64
    reward: Float64
    propensity: Float64 | None
    cluster: Index
    items: int
    positions: int

    @property
    def counts(self) -> Int64:
        """(items,) exposures of each item."""
        return np.bincount(self.item, minlength=self.items)


def code_logs(logs: Sequence[ExposureLog], catalogue_size: int = 0) -> list[CodedLog]:
    """The logs over the union of their items and positions, and at least ``catalogue_size`` items."""
    items = _distinct([log.item for log in logs])
    positions = _distinct([log.position for log in logs])
    return [
        CodedLog(
            item=_codes(log.item, items),
            position=_codes(log.position, positions),
            time_ms=log.time_ms,
            reward=log.reward,
            propensity=log.propensity,
            cluster=log.cluster,
            items=max(len(items), catalogue_size),
            positions=len(positions),
        )
        for log in logs
    ]


def _distinct(columns: Sequence[pa.Array]) -> pa.Array:
    return pc.unique(pa.chunked_array(columns))


def _codes(values: pa.Array, distinct: pa.Array) -> Index:
    return np.asarray(pc.index_in(values, value_set=distinct), dtype=np.intp)

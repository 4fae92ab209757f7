"""Messages of at most 1 MB: a batch that is larger is cut between two events, never within one."""

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.batches import SourceRanges

MAX_BATCH_BYTES = 1_000_000

Encode = Callable[[int, int, SourceRanges], bytes]
"""The message of rows [start, end) that covers these source ranges."""


def chunks(
    encode: Encode,
    source_partition: NDArray[np.int32],
    source_offset: NDArray[np.int64],
    ranges: SourceRanges,
    max_bytes: int = MAX_BATCH_BYTES,
) -> Iterator[bytes]:
    """The messages of some rows, in order; together they cover ``ranges``, each offset once.

    Parameters
    ----------
    encode : makes one message
    source_partition, source_offset : (n,) where each row comes from, in log order of each partition
    ranges : what all rows together cover
    max_bytes : size from which on a message is cut; the rows of one event stay together
    """
    payload = encode(0, len(source_offset), ranges)
    cut = _middle_between_events(source_partition, source_offset) if len(payload) > max_bytes else None
    if cut is None:
        yield payload
        return
    head, tail = split_ranges(ranges, source_partition[:cut], source_offset[:cut])
    yield from chunks(encode, source_partition[:cut], source_offset[:cut], head, max_bytes)
    yield from chunks(
        lambda start, end, covered: encode(start + cut, end + cut, covered),
        source_partition[cut:],
        source_offset[cut:],
        tail,
        max_bytes,
    )


def split_ranges(
    ranges: SourceRanges, source_partition: NDArray[np.int32], source_offset: NDArray[np.int64]
) -> tuple[SourceRanges, SourceRanges]:
    """What the leading rows cover, up to the last of each partition, and what is left."""
    head: SourceRanges = {}
    tail = dict(ranges)
    for partition in np.unique(source_partition).tolist():
        first, last = ranges[partition]
        reached = int(source_offset[source_partition == partition][-1])
        head[partition] = (first, reached)
        tail[partition] = (reached + 1, last)
    return head, {partition: (first, last) for partition, (first, last) in tail.items() if first <= last}


def _middle_between_events(
    source_partition: NDArray[np.int32], source_offset: NDArray[np.int64]
) -> int | None:
    """The row nearest to the middle at which another event begins; None if there is but one event."""
    begins = 1 + np.flatnonzero((np.diff(source_partition) != 0) | (np.diff(source_offset) != 0))
    if not len(begins):
        return None
    return int(begins[np.argmin(np.abs(begins - len(source_offset) // 2))])

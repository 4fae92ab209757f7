"""Which rows of a run are new, judged by how far each source partition has been folded."""

import numpy as np
from numpy.typing import NDArray

from streams.processors.batch_run import BatchRun

HighWater = dict[int, int]
"""Source partition of `events` -> last offset folded."""


def new_rows(run: BatchRun, next_offset: int, high_water: HighWater) -> tuple[NDArray[np.bool_], HighWater]:
    """Rows above the high water that the batches before theirs have left, and the high water after them.

    Batches below ``next_offset`` are part of ``high_water`` already: none of their rows is new.

    Returns
    -------
    keep : (n,) bool
    high_water : after the last batch of ``run``
    """
    levels = _levels(run, high_water)
    keep = np.zeros(len(run.batch), np.bool_)
    bounds = np.searchsorted(run.row_offset, np.arange(run.first_offset, run.last_offset + 2)).tolist()
    for number, ranges in enumerate(run.ranges):
        if run.first_offset + number < next_offset:
            continue
        rows = slice(bounds[number], bounds[number + 1])
        keep[rows] = run.batch.source_offset[rows] > levels[run.batch.source_partition[rows]]
        for partition, (_, last) in ranges.items():
            levels[partition] = max(levels[partition], last)
    return keep, {partition: int(last) for partition, last in enumerate(levels) if last >= 0}


def _levels(run: BatchRun, high_water: HighWater) -> NDArray[np.int64]:
    """The high water as a table by source partition; -1 where nothing has been folded."""
    known = [*high_water, *(partition for ranges in run.ranges for partition in ranges)]
    levels = np.full(max(known, default=-1) + 1, -1, np.int64)
    for partition, last in high_water.items():
        levels[partition] = last
    return levels

"""Which rows of a section are new, judged by how far each source partition has been folded."""

import numpy as np
from numpy.typing import NDArray

from streams.processors.batch_run import BatchRun, Section

HighWater = dict[int, int]
"""Source partition of `events` -> last offset folded."""


def new_rows(run: BatchRun, section: Section, high_water: HighWater) -> tuple[NDArray[np.bool_], HighWater]:
    """Rows above the high water that the batches before theirs have left, and the high water after them.

    Batches that were folded before are part of ``high_water`` already: none of their rows is new.

    Returns
    -------
    keep : (rows of the section,) bool
    high_water : after its last batch
    """
    levels = _levels(section, high_water)
    offset, source = run.batch.source_offset[section.rows], run.batch.source_partition[section.rows]
    keep = np.zeros(len(offset), np.bool_)
    batches = np.arange(section.first_offset, section.last_offset + 2)
    bounds = np.searchsorted(run.row_offset[section.rows], batches).tolist()
    for number, ranges in enumerate(section.ranges):
        rows = slice(bounds[number], bounds[number + 1])
        keep[rows] = offset[rows] > levels[source[rows]]
        for partition, (_, last) in ranges.items():
            levels[partition] = max(levels[partition], last)
    return keep, {partition: last for partition, last in enumerate(levels.tolist()) if last >= 0}


def _levels(section: Section, high_water: HighWater) -> NDArray[np.int64]:
    """The high water as a table by source partition; -1 where nothing has been folded."""
    known = [*high_water, *(partition for ranges in section.ranges for partition in ranges)]
    levels = np.full(max(known, default=-1) + 1, -1, np.int64)
    for partition, last in high_water.items():
        levels[partition] = last
    return levels

"""The records that would have given some cells: what production sees of the same world."""

import numpy as np
import pyarrow as pa

from streams.feedback.cell_builder import ExposureColumns, PanelColumns
from streams.feedback.cells import EpochCells


def exposures_of(cells: EpochCells, order: np.random.Generator) -> ExposureColumns:
    """A row for each exposure of one run's (k, n) cells, shuffled; as many are clicked as in the cells."""
    shown = cells.exposures.astype(np.int64)
    subject, slot = np.nonzero(shown)
    times = shown[subject, slot]
    within = np.arange(times.sum()) - np.repeat(np.cumsum(times) - times, times)
    clicks = np.repeat(cells.clicks[subject, slot], times)
    shuffled = order.permutation(times.sum())
    return ExposureColumns(
        item_id=_item_ids(np.repeat(slot, times)[shuffled]),
        subject=np.repeat(subject, times)[shuffled],
        epoch=np.full(len(shuffled), cells.epoch, np.int64),
        nudge=np.repeat(cells.nudge[subject, slot], times)[shuffled],
        clicked=(within < clicks).astype(np.float64)[shuffled],
    )


def panel_of(cells: EpochCells) -> PanelColumns:
    """A row for each item that was scored."""
    subject, slot = np.nonzero(np.isfinite(cells.raw_score))
    return PanelColumns(
        item_id=_item_ids(slot),
        subject=subject,
        raw_score=cells.raw_score[subject, slot],
        contributions=cells.contributions[subject, :, slot],
        nudge=cells.nudge[subject, slot],
    )


def _item_ids(slots: np.ndarray) -> pa.Array:
    return pa.array([f"item-{slot}" for slot in slots.tolist()], pa.string())

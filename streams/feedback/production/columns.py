"""What detectors need of `exposures` and `score.panel`, as columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.assignments import NUDGES, whole_number
from feature_store.schema.panel import PanelRows
from streams.feedback.cell_builder import CellBuilder, ExposureColumns, PanelColumns
from streams.feedback.exposure_rows import ExposureRows
from streams.feedback.sifting import sifted

Dropped = dict[str, int]
"""Reason -> exposures that say nothing about a model's scores; `used` -> those that do."""


def exposure_columns(
    rows: ExposureRows, models: Sequence[str], epoch_ms: int, slices: Sequence[str] = ()
) -> tuple[ExposureColumns, Dropped]:
    """The exposures that ``models`` caused, each once, in its first revision; the subject is their index.

    Left out, and counted by reason: `not_ranked` (organic, orphan), `revision` (a later one of an exposure
    that was counted), `no_propensity`, `unknown_model` (another, or none), `unknown_slice` (of none of
    ``slices``).

    Parameters
    ----------
    slices : of the users of one model: the subject is then the index of the slice
    """
    of_model, of_slice = _places(models), _places(slices)
    model = rows.model.numbers(lambda version: of_model.get(version.partition(":")[0], -1))
    user_slice = rows.user_slice.numbers(lambda name: of_slice.get(name, -1)) if slices else None
    kept, dropped = sifted(
        len(rows),
        (
            ("not_ranked", rows.ranked),
            ("revision", rows.first),
            ("no_propensity", rows.valid("propensity")),
            ("unknown_model", model >= 0),
            *([] if user_slice is None else [("unknown_slice", user_slice >= 0)]),
        ),
    )
    subject = model if user_slice is None else user_slice
    columns = ExposureColumns(
        item_id=rows.texts("item_id", kept),
        subject=subject[kept],
        epoch=_epochs(rows, epoch_ms)[kept],
        nudge=rows.numbers("nudge")[kept],
        clicked=rows.clicked[kept],
    )
    return columns, dropped


def added(columns: ExposureColumns, cells: CellBuilder) -> Dropped:
    """Count exposures into ``cells``; how many were `used`, and the others by why not."""
    before = dict(cells.dropped)
    cells.add(columns)
    dropped = {reason: cells.dropped[reason] - count for reason, count in before.items()}
    return {**dropped, "used": len(columns.epoch) - sum(dropped.values())}


def _places(names: Sequence[str]) -> dict[str, int]:
    return {name: place for place, name in enumerate(names)}


def _epochs(rows: ExposureRows, epoch_ms: int) -> NDArray[np.int64]:
    """(n,) epoch whose nudge each exposure got, as its log says; else the one it was served in.

    A request that an epoch's end overtakes is served in the next one.
    """
    drawn = rows.draws.of(NUDGES).variant.numbers(_epoch_of)
    return np.where(drawn >= 0, drawn, rows.served_ms // epoch_ms)


def _epoch_of(variant: str) -> int:
    """Of `<salt id>/<epoch>`; −1 of anything else."""
    return whole_number(variant.rpartition("/")[2])


def panel_columns(parts: Sequence[Sequence[PanelRows]], features: int) -> PanelColumns:
    """All rows of several subjects' epoch, with their first ``features``; the subject is the place."""
    columns = [_of_subject(number, each, features) for number, each in enumerate(parts)]
    return PanelColumns(
        item_id=pa.concat_arrays([each.item_id for each in columns]),
        subject=np.concatenate([each.subject for each in columns]),
        raw_score=np.concatenate([each.raw_score for each in columns]),
        contributions=np.concatenate([each.contributions for each in columns]),
        nudge=np.concatenate([each.nudge for each in columns]),
    )


def _of_subject(number: int, parts: Sequence[PanelRows], features: int) -> PanelColumns:
    """All rows of one subject; of an item that comes twice, the first."""
    item_ids = [item for part in parts for item in part.item_ids.to_pylist()]
    first = np.unique(np.array(item_ids, np.str_), return_index=True)[1] if item_ids else np.zeros(0, np.intp)
    first.sort()
    ids = pa.array(item_ids, pa.string()).take(pa.array(first, pa.int64()))
    empty = np.zeros(0), np.zeros((0, features)), np.zeros(0)
    stacked = [(part.raw_score, part.contributions[:, :features], part.nudge) for part in parts] or [empty]
    raw, contributions, nudge = (np.concatenate(each)[first] for each in zip(*stacked, strict=True))
    return PanelColumns(ids, np.full(len(ids), number, np.int64), raw, contributions, nudge)

"""What detectors need of `exposures` and `score.panel`, as columns."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.schema.assignments import NUDGES, assigned
from feature_store.schema.exposures import ON_TIME
from feature_store.schema.panel import PanelRows
from feature_store.schema.served import USER_SLICE
from streams.feedback.cell_builder import CellBuilder, ExposureColumns, PanelColumns
from streams.feedback.experiment_rows import numbered
from streams.feedback.sifting import sifted

_CLICK = "click"
_READ = ("item_id", "served_time_ms", "nudge", "assignments", "outcomes")
"""Columns that are read of rows that count; to filter a row copies it."""
_MOST_DIGITS = 19

Dropped = dict[str, int]
"""Reason -> exposures that say nothing about a model's scores; `used` -> those that do."""


def exposure_columns(
    rows: pa.RecordBatch, models: Sequence[str], epoch_ms: int, slices: Sequence[str] = ()
) -> tuple[ExposureColumns, Dropped]:
    """The exposures that ``models`` caused, each once, in its first revision; the subject is their index.

    Left out, and counted by reason: `not_ranked` (organic, orphan), `revision` (a later one of an exposure
    that was counted), `no_propensity`, `unknown_model` (another, or none), `unknown_slice` (of none of
    ``slices``).

    Parameters
    ----------
    slices : of the users of one model: the subject is then the index of the slice
    """
    model = _numbers(rows.column("model_version"), models, lambda version: version.partition(":")[0])
    user_slice = _numbers(rows.column(USER_SLICE), slices, str) if slices else None
    kept, dropped = sifted(
        len(rows),
        (
            ("not_ranked", rows.column("served_time_ms").is_valid()),
            ("revision", pc.equal(rows.column("status").cast(pa.string()), ON_TIME)),
            ("no_propensity", rows.column("propensity").is_valid()),
            ("unknown_model", model >= 0),
            *([] if user_slice is None else [("unknown_slice", user_slice >= 0)]),
        ),
    )
    subject = model if user_slice is None else user_slice
    chosen = rows.select(_READ).filter(pa.array(kept))
    served_ms = chosen.column("served_time_ms").to_numpy(zero_copy_only=False).astype(np.int64)
    columns = ExposureColumns(
        item_id=chosen.column("item_id"),
        subject=subject[kept],
        epoch=_drawn_epochs(pa.Table.from_batches([chosen]), served_ms // epoch_ms),
        nudge=chosen.column("nudge").to_numpy(zero_copy_only=False).astype(np.float64),
        clicked=_clicked(chosen.column("outcomes")),
    )
    return columns, dropped


def added(columns: ExposureColumns, cells: CellBuilder) -> Dropped:
    """Count exposures into ``cells``; how many were `used`, and the others by why not."""
    before = dict(cells.dropped)
    cells.add(columns)
    dropped = {reason: cells.dropped[reason] - count for reason, count in before.items()}
    return {**dropped, "used": len(columns.epoch) - sum(dropped.values())}


def _numbers(words: pa.Array, names: Sequence[str], name_of: Callable[[str], str]) -> NDArray[np.int64]:
    """(n,) index of what each word names, −1 where it is none of ``names``."""
    encoded = words if pa.types.is_dictionary(words.type) else words.dictionary_encode()
    named = [name_of(word or "") for word in encoded.dictionary.to_pylist()]
    number = {name: index for index, name in enumerate(names)}
    of_code = np.array([number.get(name, -1) for name in named] + [-1], np.int64)
    numbers: NDArray[np.int64] = of_code[encoded.indices.fill_null(len(named)).to_numpy(zero_copy_only=False)]
    return numbers


def _drawn_epochs(rows: pa.Table, served: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) epoch whose nudge each exposure got, as its log says; else the one it was ``served`` in.

    A request that an epoch's end overtakes is served in the next one.
    """
    epochs = served.copy()
    drawn, row, _ = assigned(rows, NUDGES)
    found = numbered(drawn, _epoch_of)
    taken = found >= 0
    epochs[row[taken]] = found[taken]
    return epochs


def _epoch_of(variant: str) -> int:
    """Of `<salt id>/<epoch>`; −1 of anything else."""
    digits = variant.rpartition("/")[2]
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < _MOST_DIGITS else -1


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


def _clicked(outcomes: pa.MapArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(n,) 1 where there was a click."""
    clicked = np.zeros(len(outcomes))
    keys = pc.equal(outcomes.keys, _CLICK).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(outcomes)), np.diff(outcomes.offsets.to_numpy()))
    start = int(outcomes.offsets[0].as_py()) if len(outcomes) else 0
    clicked[rows[keys[start : start + len(rows)].astype(np.bool_)]] = 1.0
    return clicked

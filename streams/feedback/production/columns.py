"""What detectors need of `exposures` and `score.panel`, as columns."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from feature_store.schema.exposures import ON_TIME
from feature_store.schema.panel import PanelRows
from streams.feedback.cell_builder import CellBuilder, ExposureColumns, PanelColumns
from streams.feedback.experiment_rows import NUDGES, assigned, numbered
from streams.feedback.sifting import sifted

_CLICK = "click"
_MOST_DIGITS = 19

Dropped = dict[str, int]
"""Reason -> exposures that say nothing about a model's scores; `used` -> those that do."""


def exposure_columns(
    rows: pa.RecordBatch, models: Sequence[str], epoch_ms: int
) -> tuple[ExposureColumns, Dropped]:
    """The exposures that ``models`` caused, each once, in its first revision; the subject is their index.

    Left out, and counted by reason: `not_ranked` (organic, orphan), `revision` (a later one of an exposure
    that was counted), `no_propensity`, `unknown_model` (another, or none).
    """
    subject = _subjects(rows.column("model_version"), models)
    kept, dropped = sifted(
        len(rows),
        (
            ("not_ranked", rows.column("served_time_ms").is_valid()),
            ("revision", pc.equal(rows.column("status").cast(pa.string()), ON_TIME)),
            ("no_propensity", rows.column("propensity").is_valid()),
            ("unknown_model", subject >= 0),
        ),
    )
    chosen = rows.filter(pa.array(kept))
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


def _subjects(versions: pa.Array, models: Sequence[str]) -> NDArray[np.int64]:
    """(n,) index of each version's model, −1 where it is none of ``models``."""
    encoded = versions if pa.types.is_dictionary(versions.type) else versions.dictionary_encode()
    names = [(version or "").partition(":")[0] for version in encoded.dictionary.to_pylist()]
    number = {model: index for index, model in enumerate(models)}
    of_code = np.array([number.get(name, -1) for name in names] + [-1], np.int64)
    subject: NDArray[np.int64] = of_code[encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)]
    return subject


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


def panel_columns(parts: Sequence[PanelRows], features: int) -> PanelColumns:
    """All rows of one model's epoch; of an item that comes twice, the first."""
    item_ids = [item for part in parts for item in part.item_ids.to_pylist()]
    first = np.unique(np.array(item_ids, np.str_), return_index=True)[1] if item_ids else np.zeros(0, np.intp)
    first.sort()
    ids = pa.array(item_ids, pa.string()).take(pa.array(first, pa.int64()))
    empty = np.zeros(0), np.zeros((0, features)), np.zeros(0)
    stacked = [(part.raw_score, part.contributions, part.nudge) for part in parts] or [empty]
    raw, contributions, nudge = (np.concatenate(each)[first] for each in zip(*stacked, strict=True))
    return PanelColumns(ids, np.zeros(len(ids), np.int64), raw, contributions, nudge)


def panels_of(parts: Sequence[Sequence[PanelRows]]) -> PanelColumns:
    """The scores of several models in one epoch, without their contributions; the subject is the place."""
    columns = [panel_columns(each, len(each[0].header.features) if each else 0) for each in parts]
    return PanelColumns(
        item_id=pa.concat_arrays([each.item_id for each in columns]),
        subject=np.repeat(np.arange(len(columns)), [len(each.item_id) for each in columns]),
        raw_score=np.concatenate([each.raw_score for each in columns]),
        contributions=np.zeros((sum(len(each.item_id) for each in columns), 0)),
        nudge=np.concatenate([each.nudge for each in columns]),
    )


def _clicked(outcomes: pa.MapArray) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """(n,) 1 where there was a click."""
    clicked = np.zeros(len(outcomes))
    keys = pc.equal(outcomes.keys, _CLICK).to_numpy(zero_copy_only=False)
    rows = np.repeat(np.arange(len(outcomes)), np.diff(outcomes.offsets.to_numpy()))
    start = int(outcomes.offsets[0].as_py()) if len(outcomes) else 0
    clicked[rows[keys[start : start + len(rows)].astype(np.bool_)]] = 1.0
    return clicked

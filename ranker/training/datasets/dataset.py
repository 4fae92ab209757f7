"""A training set: one row per item seen, flat columns, and where they come from."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ranker.training.errors import TrainingError

FORMAT = 2
LABEL, FEATURE, ID, ARM = "label.", "feature.", "id.", "arm."
"""What names begin with: ``label.click``, ``feature.item.ctr_1d``, ``id.creator``, ``arm.holdout``."""

OURS: dict[str, pa.DataType] = {
    "raw_score": pa.float64(),
    "nudge": pa.float64(),
    "published_score": pa.float64(),
    "policy": pa.string(),
    "model_version": pa.string(),
    "explored": pa.bool_(),
    "held_out": pa.bool_(),
}
"""How a row came to be shown, null in what was imported. No model may read it: it follows our own coins.
``nudge``: what was added to the raw score, in its units, 0 where nothing was; the published score, by which
items are ordered, is the sum. ``explored``: chance chose the item; ``held_out``: a frozen model answered.
Beside these ``arm.<experiment>`` is the row's arm of each experiment, null where it is in none."""

FIXED: dict[str, pa.DataType] = {
    "request_id": pa.string(),
    "user_id": pa.string(),
    "item_id": pa.string(),
    "time_ms": pa.int64(),
    "position": pa.int32(),
    "propensity": pa.float64(),
    "importance_weight": pa.float64(),
    "impression_time_ms": pa.int64(),
    "outcome_time_ms": pa.int64(),
    "status": pa.string(),
    **OURS,
}
"""Columns of every training set. ``time_ms``: the moment that the features are of. ``position``: where the
item was seen, 0-based. ``propensity``: of being there, null where nobody knows; ``importance_weight``: its
inverse, clipped, null likewise. ``outcome_time_ms``: the last interaction, null where there is none. The rest
is :data:`OURS`."""

_NEVER_NULL = ("request_id", "user_id", "item_id", "time_ms")


class DatasetError(TrainingError):
    """A training set, or what one is to be made of, cannot be used; the message names the column."""


@dataclass(frozen=True, slots=True)
class Description:
    """What a training set is made of; travels in the Parquet file's schema.

    Attributes
    ----------
    source : `exposures`, or the file that was imported
    service, fingerprint : the features; empty where they are somebody else's
    offsets : partition -> (first, end) of `exposures`
    label_window_s : an outcome counts up to so long after the impression
    impressions_from_ms, impressions_until_ms : first and last impression
    weight_max : importance weights are clipped there
    left_out : reason -> rows
    flagged : `nudged`, `explored`, `held_out` -> rows; empty where nobody knows
    """

    source: str
    service: str = ""
    fingerprint: str = ""
    offsets: Mapping[int, tuple[int, int]] = field(default_factory=dict)
    label_window_s: float | None = None
    impressions_from_ms: int | None = None
    impressions_until_ms: int | None = None
    weight_max: float | None = None
    left_out: Mapping[str, int] = field(default_factory=dict)
    flagged: Mapping[str, int] = field(default_factory=dict)
    format: int = FORMAT


@dataclass(frozen=True, slots=True)
class Dataset:
    """Rows, those of a request adjacent, requests in the order of time.

    Attributes
    ----------
    rows : columns of :data:`FIXED`, then arms string, then labels and features float32, then ids int64
    """

    rows: pa.Table
    description: Description

    def names(self, prefix: str) -> list[str]:
        """The columns that begin with ``prefix``."""
        return [name for name in self.rows.column_names if name.startswith(prefix)]


def importance_weights(propensity: pa.ChunkedArray, weight_max: float) -> pa.ChunkedArray:
    """1 / propensity, at most ``weight_max``; null where there is no propensity."""
    return pc.min_element_wise(pc.divide(1.0, propensity), weight_max, skip_nulls=False)


def in_order(rows: pa.Table) -> pa.Table:
    """By time, request and item, so that the same rows in any order make the same file."""
    return rows.sort_by([("time_ms", "ascending"), ("request_id", "ascending"), ("item_id", "ascending")])


def check(dataset: Dataset) -> None:
    """Refuse what nothing can be learned from, or what contradicts itself.

    Raises
    ------
    DatasetError
        A column is absent or of another type or has no value where it must, no label is ever positive, there
        is one user only, labels come before impressions, a row is there twice, a propensity is not in (0, 1],
        a feature is not finite.
    """
    rows = dataset.rows
    _check_columns(rows)
    if not len(rows):
        left_out = ", ".join(f"{count} {reason}" for reason, count in dataset.description.left_out.items())
        raise DatasetError(f"there are no rows; left out: {left_out or 'none'}")
    _check_labels(dataset)
    if pc.count_distinct(rows["user_id"]).as_py() < 2:
        raise DatasetError("user_id: all rows are of one user; a ranker learns from comparing several")
    _refuse(rows, pc.less(rows["outcome_time_ms"], rows["impression_time_ms"]), "outcome_time_ms", _EARLY)
    _refuse(rows, _outside(rows["propensity"]), "propensity", "is not in (0, 1]")
    _check_duplicates(rows)
    for name in dataset.names(FEATURE):
        _refuse(rows, pc.invert(pc.is_finite(rows[name])), name, "is no finite number")


_EARLY = "lies before the impression: an outcome cannot come before what it is of"


def _check_columns(rows: pa.Table) -> None:
    for name, kind in FIXED.items():
        if name not in rows.column_names:
            raise DatasetError(f"{name}: the column is absent")
        if rows[name].type != kind:
            raise DatasetError(f"{name}: the column is {rows[name].type}, not {kind}")
    for name in _NEVER_NULL:
        if rows[name].null_count:
            raise DatasetError(f"{name}: {rows[name].null_count} rows have none")


def _check_labels(dataset: Dataset) -> None:
    labels = dataset.names(LABEL)
    if not labels:
        raise DatasetError(f"there is no column {LABEL}<action>")
    for name in labels:
        _refuse(dataset.rows, pc.invert(pc.is_finite(dataset.rows[name])), name, "is no finite number")
    if not any(pc.max(dataset.rows[name]).as_py() > 0 for name in labels):
        raise DatasetError(f"{', '.join(labels)}: no row is positive; there is nothing to learn")


def _check_duplicates(rows: pa.Table) -> None:
    counted = rows.group_by(["request_id", "item_id"]).aggregate([([], "count_all")])
    twice = counted.filter(pc.greater(counted["count_all"], 1))
    if len(twice):
        request, item = twice["request_id"][0].as_py(), twice["item_id"][0].as_py()
        raise DatasetError(
            f"request_id: {len(twice)} items are in a request more than once, first item {item} of {request}"
        )


def _outside(propensity: pa.ChunkedArray) -> pa.ChunkedArray:
    inside = pc.and_(pc.greater(propensity, 0.0), pc.less_equal(propensity, 1.0))
    return pc.invert(inside)


def _refuse(rows: pa.Table, wrong: pa.ChunkedArray, name: str, what: str) -> None:
    """Refuse the rows of ``wrong``; nulls are not wrong."""
    mask: Any = np.asarray(wrong.fill_null(False))
    if mask.any():
        row = int(np.argmax(mask))
        value = rows[name][row].as_py()
        raise DatasetError(f"{name}: {value!r} in row {row} {what} ({int(mask.sum())} rows)")

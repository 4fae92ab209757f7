"""Rows of one view as columns of the candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.schema.served import RowMarks
from feature_store.views import ROW_OFFSET, FeatureView
from ranker.hydrators.keys import Keys
from ranker.pipeline.batch import Float64, Index, Int64


@dataclass(frozen=True, slots=True)
class ViewColumns:
    """Which columns of a view a model reads, and where it reads them.

    Attributes
    ----------
    chosen : positions among the view's features
    places : positions among the model's columns
    """

    view: FeatureView
    chosen: Index
    places: Index

    def read(self, rows: Float64, now_ms: int) -> Float64:
        """(len(rows), len(chosen)) finalized values."""
        return self.view.finalize(rows, now_ms)[:, self.chosen]


def columns_of(view: FeatureView, wanted: Sequence[tuple[str, int]]) -> ViewColumns:
    """The columns of ``view`` for ``wanted`` (feature, place) pairs.

    Raises
    ------
    ValueError
        The view has no such feature.
    """
    for feature, _ in wanted:
        if feature not in view.columns:
            raise ValueError(f"view {view.name} has no feature {feature!r}")
    chosen = np.array([view.columns.index(feature) for feature, _ in wanted], np.intp)
    return ViewColumns(view, chosen, np.array([place for _, place in wanted], np.intp))


def gather(values: Float64, index: Int64) -> Float64:
    """The values of each candidate's rows, the mean where it has several.

    Parameters
    ----------
    values : (r + 1, c), the last row for what has none
    index : (n, w) rows, r: none

    Returns
    -------
    (n, c); a candidate without any row has the last one's values
    """
    if index.shape[1] == 1:
        return values.take(index[:, 0], axis=0)
    none = len(values) - 1
    present = index != none
    count = present.sum(axis=1)
    total = np.where(present[:, :, None], values[index], 0.0).sum(axis=1)
    mean: Float64 = total / np.maximum(count, 1)[:, None]
    return np.where(count[:, None] > 0, mean, values[none])


def marks_of(name: str, keys: Keys, rows: Float64) -> dict[str, RowMarks]:
    """Which versions of its rows each candidate got; ``name[i]`` where it may have several."""
    offsets = np.append(rows[:, ROW_OFFSET].astype(np.int64), -1)
    partitions = np.where(offsets < 0, -1, np.append(keys.partitions, -1)).astype(np.int32)
    width = keys.index.shape[1]
    names = [name] if width == 1 else [f"{name}[{i}]" for i in range(width)]
    return {
        each: RowMarks(partitions[places], offsets[places])
        for each, places in zip(names, keys.index.T, strict=True)
    }

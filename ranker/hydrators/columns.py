"""Rows of one view as columns of the candidates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from feature_store.views import FeatureView
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
    index : (n, w) rows, r: none; what a candidate has comes before what it has not

    Returns
    -------
    (n, c); a candidate without any row has the last one's values
    """
    if index.shape[1] == 1:
        return values.take(index[:, 0], axis=0)
    none = len(values) - 1
    count = (index != none).sum(axis=1)
    summands = values.copy()
    summands[none] = 0.0
    total = np.zeros((len(index), values.shape[1]))
    for each in index[:, : count.max(initial=0)].T:  # what items have comes first in their rows
        total += summands.take(each, axis=0)
    mean: Float64 = total / np.maximum(count, 1)[:, None]
    mean[count == 0] = values[none]
    return mean

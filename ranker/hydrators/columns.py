"""Rows of one view as columns of the candidates."""

from collections.abc import Sequence

import numpy as np

from feature_store.views import FeatureView
from ranker.pipeline.batch import Float64, Index, Int64


class ViewColumns:
    """Which columns of a view a model reads, and where it reads them.

    Parameters
    ----------
    chosen : features of the view
    places : their positions among the model's columns

    Raises
    ------
    ValueError
        The view has no such feature.
    """

    def __init__(self, view: FeatureView, chosen: Sequence[str], places: Sequence[int]) -> None:
        for feature in chosen:
            if feature not in view.columns:
                raise ValueError(f"view {view.name} has no feature {feature!r}")
        self.view = view
        self.places = _slice_of(places)
        self._chosen = _slice_of([view.columns.index(feature) for feature in chosen])
        self.of_none = view.finalize(view.blank_rows(1), 0)[:, self._chosen]
        """(1, c) values of an entity that nothing has happened to, which are the same at any time."""

    def read(self, rows: Float64, now_ms: int) -> Float64:
        """(len(rows), c) finalized values."""
        return self.view.finalize(rows, now_ms)[:, self._chosen]


def _slice_of(places: Sequence[int]) -> slice | Index:
    """The places as a slice where they follow one another: numpy copies nothing then."""
    if list(places) == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places, np.intp)


def gather(values: Float64, of_none: Float64, index: Int64) -> Float64:
    """The values of each candidate's rows, the mean where it has several.

    Parameters
    ----------
    values : (r, c)
    of_none : (1, c) for a candidate that has no row
    index : (n, w) rows, r: none; what a candidate has comes before what it has not

    Returns
    -------
    (n, c)
    """
    if index.shape[1] == 1:
        return np.concatenate((values, of_none)).take(index[:, 0], axis=0)
    count = (index != len(values)).sum(axis=1)
    summands = np.concatenate((values, np.zeros_like(of_none)))
    total = np.zeros((len(index), values.shape[1]))
    for each in index[:, : count.max(initial=0)].T:
        total += summands.take(each, axis=0)
    mean: Float64 = total / np.maximum(count, 1)[:, None]
    mean[count == 0] = of_none
    return mean

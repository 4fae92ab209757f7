"""Rows of one view as columns of the candidates."""

from collections.abc import Hashable, Sequence

import numpy as np

from feature_store.online.rows import decode_found
from feature_store.views import ROW_OFFSET, FeatureView
from ranker.pipeline.batch import Float32, Float64, Index, Int64

ViewRows = Sequence[bytes | None]
"""The rows of one view as they are stored."""
RowOffsets = dict[int, Int64]
"""Number of a view -> (r,) offset of the batch that each of its rows was last folded with."""


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
        self.chosen = _slice_of([view.columns.index(feature) for feature in chosen])

    def read(self, rows: Float64, now_ms: int) -> Float64:
        """(len(rows), c) finalized values."""
        return self.view.finalize(rows, now_ms)[:, self.chosen]


class AlikeColumns:
    """Views whose rows are laid out alike: their rows are decoded and finalized together.

    Parameters
    ----------
    members : columns of each view, and its number among all that candidates are read from
    """

    def __init__(self, members: Sequence[tuple[int, ViewColumns]]) -> None:
        self._members = tuple(members)
        self._view = members[0][1].view
        self._of_none = self._view.finalize(self._view.blank_rows(1), 0)
        """Values of an entity that nothing has happened to, which are the same at any time."""

    def fill(
        self, into: Float32, index: Sequence[Int64], stored: Sequence[ViewRows], now_ms: int
    ) -> RowOffsets:
        """Write the columns of every member into the model's (n, k) columns.

        Parameters
        ----------
        index : by number, (n, w) places among the view's ``stored`` rows, their count: none
        stored : by number

        Returns
        -------
        number -> (r,) int64 batch that each row was folded with, −1 where nothing is stored
        """
        rows, place = decode_found(
            self._view.width, [row for number, _ in self._members for row in stored[number]]
        )
        values = np.concatenate((self._view.finalize(rows, now_ms), self._of_none))
        offsets = np.append(rows[:, ROW_OFFSET], -1.0).astype(np.int64)
        found: RowOffsets = {}
        start = 0
        for number, columns in self._members:
            mine = place[start : start + len(stored[number])]
            into[:, columns.places] = gather(values, mine, index[number])[:, columns.chosen]
            found[number] = offsets.take(mine)
            start += len(mine)
        return found


def alike(views: Sequence[ViewColumns]) -> list[AlikeColumns]:
    """The views by the layout of their rows."""
    by_layout: dict[Hashable, list[tuple[int, ViewColumns]]] = {}
    for number, columns in enumerate(views):
        by_layout.setdefault(columns.view.layout, []).append((number, columns))
    return [AlikeColumns(members) for members in by_layout.values()]


def _slice_of(places: Sequence[int]) -> slice | Index:
    """The places as a slice where they follow one another: numpy copies nothing then."""
    if list(places) == list(range(places[0], places[0] + len(places))):
        return slice(places[0], places[0] + len(places))
    return np.array(places, np.intp)


def gather(values: Float64, place: Int64, index: Int64) -> Float64:
    """The values of each candidate's rows, the mean where it has several.

    Parameters
    ----------
    values : (f + 1, c), the last one of an entity that nothing has happened to
    place : (r,) of each entity's values, f where nothing is stored of it
    index : (n, w) entities of each candidate, r: none; what it has comes before what it has not

    Returns
    -------
    (n, c)
    """
    none = len(values) - 1
    if index.shape[1] == 1:
        return values.take(np.append(place, none).take(index[:, 0]), axis=0)
    count = (index != len(place)).sum(axis=1)
    at = np.append(place, none + 1).take(index)
    summands = np.concatenate((values, np.zeros((1, values.shape[1]))))
    total = np.zeros((len(index), values.shape[1]))
    for each in at[:, : count.max(initial=0)].T:
        total += summands.take(each, axis=0)
    mean: Float64 = total / np.maximum(count, 1)[:, None]
    mean[count == 0] = values[none]
    return mean

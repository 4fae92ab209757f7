"""Rows of one view as columns of the candidates."""

from collections.abc import Hashable, Iterator, Sequence

import numpy as np

from feature_store.online.rows import decode_found
from feature_store.views import ROW_OFFSET, FeatureView
from ranker.hydrators.keys import Keys
from ranker.pipeline.batch import Float32, Float64, Index, Int64
from ranker.pipeline.marks import RowsRead

ViewRows = Sequence[bytes | None]
"""The rows of one view as they are stored."""


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
        self.chosen = tuple(chosen)
        self.places = slice_of(places)
        self.finalizer = view.finalizer(chosen)


class AlikeColumns:
    """Views whose rows are laid out alike: their rows are decoded and finalized together.

    Parameters
    ----------
    members : columns of each view, and its number among all that candidates are read from
    """

    def __init__(self, members: Sequence[tuple[int, ViewColumns]]) -> None:
        self._members = tuple(members)
        _, first = members[0]
        self._width = first.view.width
        self._finalizer = first.finalizer
        self._of_none = self._finalizer.finalize(first.view.blank_rows(1), 0)
        """Values of an entity that nothing has happened to, which are the same at any time."""

    def fill(
        self, into: Float32, keys: Sequence[Keys], stored: Sequence[ViewRows], now_ms: int
    ) -> Iterator[tuple[int, RowsRead]]:
        """Write the columns of every member into the model's (n, k) columns.

        Parameters
        ----------
        keys, stored : by number

        Yields
        ------
        number of a view, which versions of its rows were read
        """
        rows, place = decode_found(
            self._width, [row for number, _ in self._members for row in stored[number]]
        )
        values = np.concatenate((self._finalizer.finalize(rows, now_ms), self._of_none))
        folded_with = np.full(len(values), -1.0)
        folded_with[:-1] = rows[:, ROW_OFFSET]
        start = 0
        for number, columns in self._members:
            mine, found = keys[number], stored[number]
            if len(mine.index) == 0:  # no item has such a text
                into[:, columns.places] = self._of_none
                continue
            at = np.full(mine.none + 1, len(rows))
            at[mine.first : mine.first + len(found)] = place[start : start + len(found)]
            start += len(found)
            into[:, columns.places] = gather(values, at, mine.index)
            place_of = (mine.first, at, folded_with, mine.index)
            yield number, RowsRead(columns.view.name, mine.several, mine.partitions, *place_of)


def alike(views: Sequence[ViewColumns]) -> list[AlikeColumns]:
    """The views by the layout of their rows, and by what is read of them."""
    by_layout: dict[Hashable, list[tuple[int, ViewColumns]]] = {}
    for number, columns in enumerate(views):
        by_layout.setdefault((columns.view.layout, columns.chosen), []).append((number, columns))
    return [AlikeColumns(members) for members in by_layout.values()]


def slice_of(places: Sequence[int]) -> slice | Index:
    """The places as a slice where they follow one another: numpy copies nothing then."""
    first = places[0] if places else 0
    if list(places) == list(range(first, first + len(places))):
        return slice(first, first + len(places))
    return np.array(places, np.intp)


def gather(values: Float64, at: Index, index: Int64) -> Float64:
    """The values of each candidate's rows, the mean where it has several.

    Parameters
    ----------
    values : (f + 1, c), the last one of an entity that nothing has happened to
    at : (d + 1,) of each entity's values, f where nothing is stored of it; the last of no entity at all
    index : (w, n) entities of each candidate, d: none; what it has comes before what it has not; w > 0

    Returns
    -------
    (n, c)
    """
    total: Float64 = values.take(at.take(index[0]), axis=0)
    if len(index) == 1:
        return total
    none = len(at) - 1
    summands = np.concatenate((values, np.zeros((1, values.shape[1]))))
    at = np.append(at[:none], len(values))
    for each in index[1:]:
        total += summands.take(at.take(each), axis=0)
    total /= np.maximum((index != none).sum(axis=0), 1)[:, None]
    return total

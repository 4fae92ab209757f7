"""The candidates' views that are asked for together."""

from collections.abc import Sequence

import numpy as np

from feature_store.fetcher import StoredRows, Wanted
from ranker.hydrators.columns import RowOffsets, ViewColumns, alike
from ranker.hydrators.keys import KeyMaker, Keys, User
from ranker.pipeline.batch import CandidateBatch, Float32
from ranker.pipeline.marks import RowsRead


class CandidateViews:
    """Names the rows of some views, and turns them into the model's columns.

    Parameters
    ----------
    views : each with what names its rows
    """

    def __init__(self, views: Sequence[tuple[ViewColumns, KeyMaker]]) -> None:
        self._views = [columns for columns, _ in views]
        self._makers = [maker for _, maker in views]
        self._alike = alike(self._views)

    def keys(self, user: User, batch: CandidateBatch) -> list[Keys]:
        """The rows that the candidates need, by view."""
        return [maker.keys(user, batch) for maker in self._makers]

    def no_keys(self, n: int) -> list[Keys]:
        """The keys of ``n`` candidates of which nothing is known."""
        return [Keys([], np.zeros((n, 1), np.int64), np.empty(0, np.int32)) for _ in self._views]

    def wanted(self, keys: Sequence[Keys]) -> Wanted:
        """What to ask the store for."""
        return {
            columns.view: (each.ids, each.partitions.tolist())
            for columns, each in zip(self._views, keys, strict=True)
        }

    def fill(self, into: Float32, keys: Sequence[Keys], stored: StoredRows, now_ms: int) -> list[RowsRead]:
        """Write the views' columns into the model's (n, k); which versions of which rows they come from."""
        index = [each.index for each in keys]
        rows = [stored.get(columns.view, []) for columns in self._views]
        offsets: RowOffsets = {}
        for views in self._alike:
            offsets |= views.fill(into, index, rows, now_ms)
        return [
            RowsRead(columns.view.name, each.partitions, offsets[number], each.index)
            for number, (columns, each) in enumerate(zip(self._views, keys, strict=True))
        ]

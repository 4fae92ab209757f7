"""The candidates' views that are asked for together."""

from collections.abc import Sequence

import numpy as np

from feature_store.fetcher import StoredRows, Wanted
from ranker.hydrators.columns import ViewColumns, alike
from ranker.hydrators.keys import KeyMaker, Keys, User
from ranker.pipeline.batch import CandidateBatch, Float32
from ranker.pipeline.marks import RowsRead


class CandidateViews:
    """Names the rows of some views, and turns them into the model's columns.

    Parameters
    ----------
    views : whose rows ``maker`` names, in this order
    """

    def __init__(self, views: Sequence[ViewColumns], maker: KeyMaker) -> None:
        self._views = tuple(views)
        self._maker = maker
        self._alike = alike(self._views)

    def keys(self, user: User, batch: CandidateBatch) -> list[Keys]:
        """The rows that the candidates need, by view."""
        return self._maker.keys(user, batch)

    def no_keys(self, n: int) -> list[Keys]:
        """The keys of ``n`` candidates of which nothing is known."""
        return [Keys([], False, 0, 0, 0, np.zeros((1, n), np.int64)) for _ in self._views]

    def wanted(self, keys: Sequence[Keys]) -> Wanted:
        """What to ask the store for."""
        return {
            columns.view: (
                each.ids,
                each.partitions if isinstance(each.partitions, int) else each.partitions.tolist(),
            )
            for columns, each in zip(self._views, keys, strict=True)
        }

    def fill(self, into: Float32, keys: Sequence[Keys], stored: StoredRows, now_ms: int) -> list[RowsRead]:
        """Write the views' columns into the model's (n, k); which versions of which rows they come from."""
        rows = [stored.get(columns.view, []) for columns in self._views]
        read = [each for views in self._alike for each in views.fill(into, keys, rows, now_ms)]
        return [each for _, each in sorted(read, key=_number)]


def _number(read: tuple[int, RowsRead]) -> int:
    return read[0]

"""Rows of several views in one batched read, as matrices."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from feature_store.online.base import RowsOf
from feature_store.online.rows import decode_rows
from feature_store.views import FeatureView, Float64


class RowReader(Protocol):
    """The part of an `OnlineStore` that requests need."""

    def read(self, wanted: Sequence[RowsOf]) -> list[list[bytes | None]]:
        """The rows of several views, None where there is no row."""


class RowFetcher:
    """Reads rows of state for a request.

    Parameters
    ----------
    store : where the rows are
    """

    def __init__(self, store: RowReader) -> None:
        self._store = store

    def stored(
        self, wanted: Mapping[FeatureView, tuple[Sequence[str], Sequence[int] | int]]
    ) -> dict[FeatureView, list[bytes | None]]:
        """The rows as they are stored, in the order of the ids; parameters as for :meth:`fetch`."""
        reads = [RowsOf(view.fingerprint, ids, partitions) for view, (ids, partitions) in wanted.items()]
        return dict(zip(wanted, self._store.read(reads), strict=True))

    def fetch(
        self, wanted: Mapping[FeatureView, tuple[Sequence[str], Sequence[int] | int]]
    ) -> dict[FeatureView, Float64]:
        """(n, view.width) rows of each view, in the order of the ids, blank where there is no row.

        Parameters
        ----------
        wanted : view -> ids, and the batch partition of each id (or one for all)
        """
        return {view: decode_rows(view, rows) for view, rows in self.stored(wanted).items()}

"""Rows of several views in one batched read, as matrices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

from feature_store.online.base import RowReader, RowsOf, TimeLeft, unhurried
from feature_store.online.rows import decode_rows
from feature_store.views import FeatureView, Float64

Wanted = Mapping[FeatureView, tuple[Sequence[str], Sequence[int] | int]]
"""view -> ids, and the batch partition of each id, or one for all"""
StoredRows = dict[FeatureView, list[bytes | None]]
"""view -> rows as they are stored, in the order of the ids, None where there is no row"""
AskRows = Callable[[Wanted], Callable[[], StoredRows]]
"""See :class:`RowReader`."""


class RowFetcher:
    """Reads rows of state for a request.

    Parameters
    ----------
    store : where the rows are
    """

    def __init__(self, store: RowReader) -> None:
        self._store = store

    @contextmanager
    def asking(self, left_ms: TimeLeft = unhurried) -> Iterator[AskRows]:
        """Ask several times before the first answer is waited for; raises as `RowReader.asking`."""
        with self._store.asking(left_ms) as ask_store:

            def ask(wanted: Wanted) -> Callable[[], StoredRows]:
                answer = ask_store([RowsOf(view.fingerprint, *of_view) for view, of_view in wanted.items()])
                return lambda: dict(zip(wanted, answer(), strict=True))

            yield ask

    def fetch(self, wanted: Wanted) -> dict[FeatureView, Float64]:
        """(n, view.width) rows of each view, in the order of the ids, blank where there is no row."""
        with self.asking() as ask:
            stored = ask(wanted)()
        return {view: decode_rows(view, rows) for view, rows in stored.items()}

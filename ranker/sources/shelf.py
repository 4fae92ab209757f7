"""A source whose answer is prepared beside the requests, so that asking costs nothing."""

from collections.abc import Callable

from ranker.pipeline.query import Query

Pick = Callable[[int], list[str]]
"""now_ms -> item ids, best first"""


class Shelf:
    """Serves what :meth:`refresh` found last; empty before the first time.

    Parameters
    ----------
    name : of the source, as answers name it
    pick : finds the ids
    """

    def __init__(self, name: str, pick: Pick) -> None:
        self.name = name
        self._pick = pick
        self._ids: list[str] = []

    def refresh(self, now_ms: int) -> None:
        """Find the ids anew; when that raises, the old ones stay."""
        self._ids = self._pick(now_ms)

    def fetch(self, query: Query) -> list[str]:
        """The ids found last."""
        return self._ids

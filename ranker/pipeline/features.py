"""What the hydrator found out about a request's user and candidates."""

from dataclasses import dataclass, replace

from ranker.pipeline.batch import Float32, Index, Int64
from ranker.pipeline.marks import RowsRead


@dataclass(frozen=True, slots=True)
class Features:
    """The model's inputs, and what the filters ask of the user's history.

    Attributes
    ----------
    user : (1, u) float32
    candidates : (n, k) float32
    ids : (n, m) int64
    seen, blocked_creators : hashes of the items the user saw last and of the creators they block
    rows_read : which versions of the rows, by view
    age_ms : age of the user's row at the finalize time; None where there is none
    user_slice : that the user is in; None where users are not told apart, or the row was not read
    """

    user: Float32
    candidates: Float32
    ids: Int64
    seen: Int64
    blocked_creators: Int64
    rows_read: tuple[RowsRead, ...] = ()
    age_ms: float | None = None
    user_slice: str | None = None

    def take(self, index: Index) -> "Features":
        """The features of the candidates at ``index``."""
        return replace(
            self,
            candidates=self.candidates[index],
            ids=self.ids[index],
            rows_read=tuple(rows.take(index) for rows in self.rows_read),
        )

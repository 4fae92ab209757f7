"""What the hydrator found out about a request's user and candidates."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from feature_store.schema.served import RowMarks
from ranker.pipeline.batch import Float32, Index, Int64


@dataclass(frozen=True, slots=True)
class Features:
    """The model's inputs, and what the filters ask of the user's history.

    Attributes
    ----------
    user : (1, u) float32
    candidates : (n, k) float32
    ids : (n, m) int64
    seen, blocked_creators : hashes of the items the user saw last and of the creators they block
    marks : entity -> which versions of its rows were read, (n,) each
    age_ms : age of the user's row at the finalize time; None where there is none
    """

    user: Float32
    candidates: Float32
    ids: Int64
    seen: Int64
    blocked_creators: Int64
    marks: Mapping[str, RowMarks] = field(default_factory=dict)
    age_ms: float | None = None

    def take(self, index: Index) -> "Features":
        """The features of the candidates at ``index``."""
        return replace(
            self,
            candidates=self.candidates[index],
            ids=self.ids[index],
            marks={
                entity: RowMarks(marks.partition[index], marks.row_offset[index])
                for entity, marks in self.marks.items()
            },
        )

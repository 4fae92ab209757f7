"""An answer on its way out, with what its side effects need."""

from dataclasses import dataclass

from ranker.pipeline.outcome import RankingOutcome
from ranker.pipeline.query import Query


@dataclass(frozen=True, slots=True)
class Answer:
    """What was answered and how it came about.

    Attributes
    ----------
    payload : the response as JSON
    """

    query: Query
    outcome: RankingOutcome
    payload: bytes
    served_time_ms: int
    fingerprint: str

"""Asks the frozen model for users of the holdout, the served one for everybody else."""

from ranker.pipeline.batch import CandidateBatch
from ranker.pipeline.components import Scored, Scorer
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query


class ByArm:
    """Two scorers as one, under the name of the first."""

    def __init__(self, served: Scorer, frozen: Scorer) -> None:
        self.name = served.name
        self._served = served
        self._frozen = frozen

    def score(self, query: Query, batch: CandidateBatch, features: Features) -> Scored:
        """As the scorer of the request's arm; raises what it raises."""
        scorer = self._frozen if query.arms.holdout else self._served
        return scorer.score(query, batch, features)

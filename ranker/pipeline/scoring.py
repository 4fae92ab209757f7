"""The chain of scorers, down to the order in which candidates came."""

from collections.abc import Sequence

import numpy as np

from ranker.pipeline.batch import CandidateBatch, Heads
from ranker.pipeline.components import Scorer, Value
from ranker.pipeline.features import Features
from ranker.pipeline.journal import Journal
from ranker.pipeline.outcome import Scores
from ranker.pipeline.query import Query

INPUT_ORDER = "input_order"
LOWEST = float(np.finfo(np.float32).min)
"""Score of a candidate that the model gave no number: a number itself, so that answers stay valid JSON."""


class NoNumbers(ValueError):  # noqa: N818  (a state of the world)
    """A model gave no finite score for any candidate."""


class WrongShape(ValueError):  # noqa: N818  (a state of the world)
    """A model did not give a head one score for each candidate."""


class ScorerChain:
    """The first scorer that answers wins; when none does, candidates keep their order.

    Parameters
    ----------
    scorers : best first; every other than the first is noted as ``scored_by_<name>``
    """

    def __init__(self, scorers: Sequence[Scorer]) -> None:
        self._scorers = tuple(scorers)

    def score(
        self, journal: Journal, value: Value, query: Query, batch: CandidateBatch, features: Features
    ) -> Scores:
        """Scores of every candidate; raises nothing."""
        for number, scorer in enumerate(self._scorers):
            scores = journal.attempt(
                scorer.name, None, self._score_by, journal, scorer, value, query, batch, features
            )
            if scores is not None:
                if number > 0:
                    journal.note(f"scored_by_{scorer.name}")
                return scores
        return in_input_order(journal, batch)

    def _score_by(
        self,
        journal: Journal,
        scorer: Scorer,
        value: Value,
        query: Query,
        batch: CandidateBatch,
        features: Features,
    ) -> Scores:
        scored = scorer.score(query, batch, features)
        _require_columns(scored.heads, len(batch))
        raw = value.value(scored.heads)
        finite = np.isfinite(raw)
        if not finite.any():
            raise NoNumbers(f"{scored.model or scorer.name} gave no finite score")
        for note in scored.notes:
            journal.note(note)
        heads = scored.heads
        if not finite.all():
            journal.note("scores_not_finite")
            raw = np.where(finite, raw, LOWEST)
            heads = {head: np.nan_to_num(column) for head, column in heads.items()}
        return Scores(heads, raw, np.zeros(len(batch)), scored.model, scored.version)


def _require_columns(heads: Heads, n: int) -> None:
    for head, column in heads.items():
        if column.shape != (n,):
            raise WrongShape(f"head {head} has shape {column.shape}, of {n} candidates")


def in_input_order(journal: Journal, batch: CandidateBatch) -> Scores:
    """Scores 0, −1, −2, …: the order in which candidates came."""
    journal.note(f"scored_by_{INPUT_ORDER}")
    return unscored(batch)


def unscored(batch: CandidateBatch) -> Scores:
    """Scores that keep the candidates' order, from no model."""
    return Scores({}, -np.arange(len(batch), dtype=np.float64), np.zeros(len(batch)), "", "")

"""Scores without a model: the item's smoothed click rate, from the rows already read."""

from collections.abc import Sequence

import numpy as np

from ranker.pipeline.batch import CandidateBatch
from ranker.pipeline.components import Scored
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query

PRIOR_CLICKS = 1.0
PRIOR_IMPRESSIONS = 8.0


class CounterScorer:
    """``(clicks + 1) / (impressions + 8)`` of the item, as head ``click``.

    Parameters
    ----------
    columns : names of the candidate columns; the item's two all-time counters are among them
    impressions, clicks : their names
    """

    name = "counters"

    def __init__(self, columns: Sequence[str], impressions: str, clicks: str) -> None:
        self._impressions = columns.index(impressions)
        self._clicks = columns.index(clicks)

    def score(self, query: Query, batch: CandidateBatch, features: Features) -> Scored:
        """One head."""
        clicks = features.candidates[:, self._clicks] + np.float32(PRIOR_CLICKS)
        return Scored(
            {"click": clicks / (features.candidates[:, self._impressions] + np.float32(PRIOR_IMPRESSIONS))}
        )

"""Not again what the user has already had on the screen."""

import numpy as np

from ranker.pipeline.batch import Bool, CandidateBatch
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query


class Seen:
    """Drops the items among the user's last impressions; an item merely served was not seen."""

    name = "seen"

    def keep(self, query: Query, batch: CandidateBatch, features: Features) -> Bool:
        """(n,) bool."""
        return ~np.isin(batch.item_hash, features.seen)

"""Nothing by whom the user has blocked."""

import numpy as np

from ranker.pipeline.batch import Bool, CandidateBatch
from ranker.pipeline.features import Features
from ranker.pipeline.query import Query


class BlockedCreator:
    """Drops the items of the creators that the user blocks at present."""

    name = "blocked_creator"

    def keep(self, query: Query, batch: CandidateBatch, features: Features) -> Bool:
        """(n,) bool."""
        blocked = np.isin(batch.creator_hash, features.blocked_creators) & (batch.creator_hash != 0)
        kept: Bool = np.logical_not(blocked)
        return kept

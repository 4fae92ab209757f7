"""What happened before, in memory: rankings drawn from it keep an update from forgetting.

Source: Rolnick et al., "Experience replay for continual learning" (NeurIPS 2019).
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.exposures import latest_of


class ReplayBuffer:
    """The exposures of the newest rankings.

    Parameters
    ----------
    requests : most rankings kept
    """

    def __init__(self, requests: int) -> None:
        self._most = requests
        self._table: pa.Table | None = None

    def add(self, exposures: pa.Table) -> None:
        """Take in exposures: a later revision replaces an earlier one, and the oldest rankings go."""
        if not len(exposures):
            return
        table = latest_of([exposures] if self._table is None else [self._table, exposures]).combine_chunks()
        requests = pc.unique(table["request_id"])
        if len(requests) > self._most:
            table = table.filter(pc.is_in(table["request_id"], requests[-self._most :]))
        self._table = table

    def holds(self, requests: pa.ChunkedArray) -> pa.ChunkedArray:
        """Whether exposures of each ranking are here."""
        kept = pa.array([], pa.string()) if self._table is None else pc.unique(self._table["request_id"])
        return pc.is_in(requests, kept)

    def sample(self, requests: int, rng: np.random.Generator) -> pa.Table | None:
        """Exposures of so many rankings, or of all there are; None where there is none."""
        if self._table is None or not requests:
            return None
        known = pc.unique(self._table["request_id"])
        chosen = rng.permutation(len(known))[:requests]
        return self._table.filter(pc.is_in(self._table["request_id"], known.take(pa.array(np.sort(chosen)))))

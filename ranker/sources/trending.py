"""Trending items: those with the most weight in a decayed count."""

from collections.abc import Callable

import numpy as np

from ranker.pipeline.batch import Float64
from ranker.pipeline.items import ItemColumns
from ranker.sources.recent import newest_alive
from ranker.sources.shelf import Pick

DecayedCounts = Callable[[list[str], int], Float64]
"""(item ids, now_ms) -> (n,) decayed counts"""

CHUNK = 512
"""Items read at a time, so that requests get their turn at the store."""


def trending(items: ItemColumns, counts: DecayedCounts, at_most: int, among: int) -> Pick:
    """Picks the ``at_most`` items with the largest counts, of the ``among`` newest; none at zero."""

    def pick(now_ms: int) -> list[str]:
        ids = [items.item_ids[row] for row in newest_alive(items, now_ms, among).tolist()]
        weights = _in_chunks(ids, counts, now_ms)
        best = np.argsort(-weights, kind="stable")[:at_most]
        return [ids[i] for i in best.tolist() if weights[i] > 0.0]

    return pick


def _in_chunks(ids: list[str], counts: DecayedCounts, now_ms: int) -> Float64:
    chunks = [counts(ids[start : start + CHUNK], now_ms) for start in range(0, len(ids), CHUNK)]
    return np.nan_to_num(np.concatenate(chunks)) if chunks else np.empty(0)

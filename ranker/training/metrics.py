"""How good an order is."""

import numpy as np
from numpy.typing import NDArray

from ranker.training.rows import Rows

CUTOFF = 10


def ndcg(scores: NDArray[np.floating], rows: Rows, *, seed: int = 0) -> NDArray[np.float64]:
    """NDCG@10 of each request with a click: binary gain, the ideal over all its seen items.

    Parameters
    ----------
    scores : (n,) higher is earlier; ties fall in a seeded random order, so that no order is favoured

    Returns
    -------
    (requests with a click,) float64

    Source: Järvelin and Kekäläinen, "Cumulated gain-based evaluation of IR techniques" (2002).
    """
    clicks, request = rows.labels["click"], rows.request
    tie = np.random.default_rng(seed).permutation(len(rows))
    gained = _dcg(np.lexsort((tie, -scores, request)), clicks, rows)
    ideal = _dcg(np.lexsort((-clicks, request)), clicks, rows)
    clicked = ideal > 0
    return gained[clicked] / ideal[clicked]


def _dcg(order: NDArray[np.intp], clicks: NDArray[np.float32], rows: Rows) -> NDArray[np.float64]:
    rank = np.arange(len(rows)) - np.repeat(rows.starts[:-1], np.diff(rows.starts))
    gain = np.where(rank < CUTOFF, clicks[order] / np.log2(rank + 2), 0.0)
    return np.add.reduceat(gain, rows.starts[:-1])

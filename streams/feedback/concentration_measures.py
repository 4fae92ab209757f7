"""How unequally exposure is spread over items, comparable between logs of different sizes."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Int64 = NDArray[np.int64]


def gini(counts: NDArray[np.number]) -> Float64:
    """Gini coefficient of (..., items) counts over the last axis: 0 equal, near 1 on one item.

    Sparse counts are unequal by chance alone: compare only counts with the same sum (:func:`thin`).
    """
    ordered = np.sort(counts, axis=-1).astype(np.float64)
    items = ordered.shape[-1]
    rank = 2 * np.arange(1, items + 1) - items - 1
    total = ordered.sum(axis=-1)
    unequal: Float64 = np.divide(ordered @ rank, items * total, out=np.zeros_like(total), where=total > 0)
    return unequal


def normalised_entropy(counts: NDArray[np.number]) -> Float64:
    """Entropy of (..., items) counts over that of the uniform distribution: 1 equal, 0 on one item."""
    share = counts / np.maximum(counts.sum(axis=-1, keepdims=True), 1)
    logs = np.log(share, out=np.zeros_like(share), where=share > 0)
    entropy: Float64 = -(share * logs).sum(axis=-1) / np.log(max(2, counts.shape[-1]))
    return entropy


def top_share(counts: NDArray[np.number], fraction: float = 0.1) -> Float64:
    """Share of (..., items) counts that the top ``fraction`` of the items (at least one) has."""
    best = max(1, round(fraction * counts.shape[-1]))
    top = np.sort(counts, axis=-1)[..., -best:].sum(axis=-1)
    share: Float64 = top / np.maximum(counts.sum(axis=-1), 1)
    return share


def thin(counts: Int64, size: int, rng: np.random.Generator) -> Int64:
    """``size`` of the exposures behind (items,) counts, drawn without replacement; all if there are fewer.

    A Gini of many exposures and one of few differ even where nothing else does.
    """
    if int(counts.sum()) <= size:
        return counts
    return rng.multivariate_hypergeometric(counts, size, method="marginals")

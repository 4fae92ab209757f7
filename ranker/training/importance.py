"""What each row weighs, so that a policy's taste for some items is not learned as the users' own.

Sources: Horvitz and Thompson, "A generalization of sampling without replacement" (1952) for inverse
propensities; Ionides, "Truncated importance sampling" (2008) for the cap; Swaminathan and Joachims, "The
self-normalized estimator for counterfactual learning" (NeurIPS 2015); Kish, "Survey sampling" (1965) for
the effective number of rows.
"""

import numpy as np
from numpy.typing import NDArray

from ranker.training.rows import Float32


def importance_weights(propensity: Float32, cap: float) -> Float32:
    """Inverse propensities, at most ``cap`` times their median, divided by their mean.

    A row whose propensity nobody knows weighs 1, as the average row does. All 1 where all propensities
    are equal: then nothing was preferred.

    Parameters
    ----------
    propensity : (n,) in (0, 1], NaN where it was not logged

    Returns
    -------
    (n,) float32
    """
    weights = np.ones(len(propensity), np.float32)
    known = np.isfinite(propensity)
    if not known.any():
        return weights
    inverse = 1.0 / propensity[known].astype(np.float64)
    clipped = np.minimum(inverse, cap * np.median(inverse))
    if clipped.min() < clipped.max():
        weights[known] = clipped / clipped.mean()
    return weights


def effective_rows(weights: NDArray[np.floating]) -> float:
    """How many equally heavy rows would make means as sure as these do: ``(Σ w)² / Σ w²``."""
    wide = weights.astype(np.float64)
    return float(wide.sum() ** 2 / (wide**2).sum())

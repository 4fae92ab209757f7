"""The reward model of the doubly robust estimate: shrunken means per item, predicted out of fold."""

import numpy as np
from numpy.typing import NDArray

from streams.feedback.scan.codes import CodedLog

Float64 = NDArray[np.float64]

_PRIOR_ROWS = 100.0
"""An item's mean is drawn towards the overall mean as by so many rows of it."""


def cross_fitted(log: CodedLog, target: Float64) -> tuple[Float64, Float64]:
    """Rewards that each row's other half of the clusters predicts.

    Parameters
    ----------
    target : (positions, items) policy to average over

    Returns
    -------
    (n,) prediction for the item shown, (n,) its mean over the target policy at that position
    """
    fold = log.cluster % 2
    means = np.stack([_shrunken_means(log, fold != each) for each in (0, 1)])
    return means[fold, log.item], (means @ target.T)[fold, log.position]


def _shrunken_means(log: CodedLog, rows: NDArray[np.bool_]) -> Float64:
    reward, item = log.reward[rows], log.item[rows]
    overall = reward.mean() if len(reward) else 0.0
    sums = np.bincount(item, weights=reward, minlength=log.items)
    counts = np.bincount(item, minlength=log.items)
    means: Float64 = (sums + _PRIOR_ROWS * overall) / (counts + _PRIOR_ROWS)
    return means

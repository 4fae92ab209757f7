"""Which of many e-values to believe at once.

e-BH (Wang and Ramdas, arXiv 2009.02824) bounds the expected share of the false among the believed: right for
a set that is read as a whole. e-Holm (Vovk and Wang, arXiv 1912.06116; Hartog and Lei, arXiv 2501.09015)
bounds the probability of any false one: right where each is believed for itself.
"""

import numpy as np
from numpy.typing import NDArray

from streams.feedback.evidence.betting import Float64


def e_bh(log_evidence: Float64, level: float) -> NDArray[np.bool_]:
    """Mask of the hypotheses that are rejected, false discovery rate at most ``level`` under any dependence.

    Parameters
    ----------
    log_evidence : (..., k) logarithms of e-values, one family of k hypotheses along the last axis
    level : within (0, 1)

    Examples
    --------
    >>> e_bh(np.log([500.0, 1.0, 0.5, 260.0]), 0.01).tolist()
    [True, False, False, True]
    """
    _check(level)
    k = log_evidence.shape[-1]
    falling = -np.sort(-log_evidence, axis=-1)
    enough = falling + np.log(np.arange(1, k + 1)) >= np.log(k / level)
    kept = np.where(enough, np.arange(1, k + 1), 0).max(axis=-1, keepdims=True)
    bar = np.take_along_axis(falling, np.maximum(kept - 1, 0), axis=-1)
    rejected: NDArray[np.bool_] = (kept > 0) & (log_evidence >= bar)
    return rejected


def e_holm(log_evidence: Float64, level: float) -> NDArray[np.bool_]:
    """Mask of the hypotheses that are rejected, any of them falsely with a probability of at most ``level``.

    Closed testing with means: one is rejected when all sets that contain it have a mean e-value of at least
    1 / ``level``. Of the sets of a size, that with the smallest others decides. Means of e-processes of one
    filtration are e-processes: of those, ``level`` bounds the probability of ever rejecting a true one.

    Parameters
    ----------
    log_evidence : (..., k) logarithms of e-values, one family of k hypotheses along the last axis
    level : within (0, 1)

    Examples
    --------
    >>> e_holm(np.log([500.0, 1.0, 0.5, 260.0]), 0.01).tolist()
    [True, False, False, False]
    """
    _check(level)
    rising = np.sort(log_evidence, axis=-1)
    none = np.full_like(rising[..., :1], -np.inf)
    smallest = np.concatenate([none, np.logaddexp.accumulate(rising[..., :-1], axis=-1)], axis=-1)
    # Smallest that are not others, too, make a mean no smaller than that of those up to it.
    sums = np.logaddexp(log_evidence[..., :, None], smallest[..., None, :])
    least = (sums - np.log(np.arange(1, rising.shape[-1] + 1))).min(axis=-1)
    rejected: NDArray[np.bool_] = least >= -np.log(level)
    return rejected


def _check(level: float) -> None:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: {level} is not within (0, 1)")

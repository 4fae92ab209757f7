"""Which of many e-values to believe at once (e-BH; Wang and Ramdas, arXiv 2009.02824)."""

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
    if not 0.0 < level < 1.0:
        raise ValueError(f"level: {level} is not within (0, 1)")
    k = log_evidence.shape[-1]
    falling = -np.sort(-log_evidence, axis=-1)
    enough = falling + np.log(np.arange(1, k + 1)) >= np.log(k / level)
    kept = np.where(enough, np.arange(1, k + 1), 0).max(axis=-1, keepdims=True)
    bar = np.take_along_axis(falling, np.maximum(kept - 1, 0), axis=-1)
    rejected: NDArray[np.bool_] = (kept > 0) & (log_evidence >= bar)
    return rejected

"""Evidence that counts are not spread evenly."""

from math import fsum, lgamma, log

import numpy as np
from numpy.typing import NDArray


def log_evidence_against_uniform(counts: NDArray[np.int64]) -> float:
    """ln of an e-value against "each exposure falls on any item with the same probability".

    The Dirichlet(1/2) mixture over all fixed distributions (Krichevsky and Trofimov 1981) divided by
    the uniform likelihood: a martingale in the exposures under uniform exposure, so that 1/e bounds
    the chance of a false claim however often a growing log is looked at (Ville).
    """
    items, total = len(counts), int(counts.sum())
    seen = fsum(lgamma(count + 0.5) - lgamma(0.5) for count in counts.tolist())
    return lgamma(items / 2) - lgamma(total + items / 2) + seen + total * log(items)

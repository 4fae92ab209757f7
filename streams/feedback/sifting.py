"""Which rows say something, and why the others do not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.bool_]


def sifted(n: int, checks: Sequence[tuple[str, Mask]]) -> tuple[Mask, dict[str, int]]:
    """(n,) rows that pass all checks; reason -> how many fell at that check, having passed those before.

    Parameters
    ----------
    checks : a reason, and (n,) whether each row passes
    """
    kept, dropped = np.ones(n, np.bool_), {}
    for reason, passes in checks:
        dropped[reason] = int(np.count_nonzero(kept & ~passes))
        kept &= passes
    return kept, dropped

"""Which rows say something, and why the others do not."""

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Mask = NDArray[np.bool_]
Check = tuple[str, pa.Array | pa.ChunkedArray | Mask]
"""A reason, and (n,) whether each row passes; null is no."""


def sifted(n: int, checks: Sequence[Check]) -> tuple[Mask, dict[str, int]]:
    """(n,) rows that pass all checks; reason -> how many fell at that check, having passed those before."""
    kept, dropped = np.ones(n, np.bool_), {}
    for reason, passes in checks:
        holds = _mask(passes)
        dropped[reason] = int((kept & ~holds).sum())
        kept &= holds
    return kept, dropped


def _mask(passes: pa.Array | pa.ChunkedArray | Mask) -> Mask:
    if isinstance(passes, np.ndarray):
        return passes
    whole = passes.combine_chunks() if isinstance(passes, pa.ChunkedArray) else passes
    holds: Mask = whole.to_numpy(zero_copy_only=False).astype(np.bool_)
    return holds

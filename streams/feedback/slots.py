"""Arrays over slots, which grow as items become known."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Kind = TypeVar("Kind", bound=np.generic)


def with_room(known: NDArray[Kind], n: int) -> NDArray[Kind]:
    """``known`` with zeros behind it along the last axis, so that it has ``n`` slots.

    Raises
    ------
    ValueError
        When it has more already: slots are never taken away.
    """
    spare = n - known.shape[-1]
    if spare < 0:
        raise ValueError(f"cells: {n} slots are fewer than the {known.shape[-1]} of the epoch before")
    return np.concatenate([known, np.zeros((*known.shape[:-1], spare), known.dtype)], axis=-1)

"""Policies whose value a log is asked for, as probabilities of items at positions."""

import numpy as np
from numpy.typing import NDArray

Float64 = NDArray[np.float64]
Index = NDArray[np.intp]


def uniform_policy(positions: int, items: int) -> Float64:
    """(positions, items): any item with the same probability."""
    return np.full((positions, items), 1.0 / items)


def displayed_policy(position: Index, item: Index, positions: int, items: int) -> Float64:
    """(positions, items): how often a log showed each item at each position, whoever looked.

    Raises
    ------
    ValueError
        The log shows nothing at some position.
    """
    counts = np.zeros((positions, items))
    np.add.at(counts, (position, item), 1.0)
    shown = counts.sum(axis=1, keepdims=True)
    if not shown.all():
        raise ValueError(f"nothing was shown at {int((shown == 0).sum())} of {positions} positions")
    policy: Float64 = counts / shown
    return policy

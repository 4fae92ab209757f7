"""Rows as bytes: little-endian float64, header first."""

from collections.abc import Sequence
from itertools import repeat
from operator import is_not

import numpy as np
from numpy.typing import NDArray

from feature_store.views import FeatureView, Float64

Int64 = NDArray[np.int64]


def encode_rows(rows: Float64) -> list[bytes]:
    """The bytes of each of the (n, width) rows."""
    payload, size = rows.astype("<f8", copy=False).tobytes(), rows.shape[1] * 8
    return [payload[start : start + size] for start in range(0, len(payload), size)]


def decode_found(width: int, stored: Sequence[bytes | None]) -> tuple[Float64, Int64]:
    """Only the rows that are stored, for views whose entities mostly have none.

    Returns
    -------
    (f, width) rows, and (n,) the place of each asked one among them, f where nothing is stored

    Raises
    ------
    ValueError
        When a stored row has not this width.
    """
    present = [row for row in stored if row is not None]
    found = np.frombuffer(b"".join(present), "<f8").reshape(len(present), width)
    if len(present) == len(stored):
        return found, np.arange(len(present))
    is_stored = np.fromiter(map(is_not, stored, repeat(None)), np.bool_, len(stored))
    return found, np.where(is_stored, np.cumsum(is_stored) - 1, len(present))


def decode_rows(view: FeatureView, stored: Sequence[bytes | None]) -> Float64:
    """(n, view.width) rows, blank ones where nothing is stored.

    Raises
    ------
    ValueError
        When a stored row has not the width of the view.
    """
    found, place = decode_found(view.width, stored)
    if len(found) == len(stored):
        return found
    return np.concatenate((found, view.blank_rows(1))).take(place, axis=0)

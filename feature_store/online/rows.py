"""Rows as bytes: little-endian float64, header first."""

from collections.abc import Sequence

import numpy as np

from feature_store.views import FeatureView, Float64


def encode_rows(rows: Float64) -> list[bytes]:
    """The bytes of each of the (n, width) rows."""
    payload, size = rows.astype("<f8", copy=False).tobytes(), rows.shape[1] * 8
    return [payload[start : start + size] for start in range(0, len(payload), size)]


def decode_rows(view: FeatureView, stored: Sequence[bytes | None]) -> Float64:
    """(n, view.width) rows, blank ones where nothing is stored.

    Raises
    ------
    ValueError
        When a stored row has not the width of the view.
    """
    present = [row for row in stored if row is not None]
    found = np.frombuffer(b"".join(present), "<f8").reshape(len(present), view.width)
    if len(present) == len(stored):
        return found
    rows = view.blank_rows(len(stored))
    rows[[row is not None for row in stored]] = found
    return rows

"""Coins that nobody can foresee and anybody with the salt can toss again: HMAC of (salt, unit, epoch)."""

import hashlib
import hmac
import struct
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

_DRAWS = struct.Struct(">4Q")
_TO_UNIT = 2.0**-53


def signs(salt: bytes, epoch: int, units: Iterable[str]) -> NDArray[np.int8]:
    """+1 or −1 of each unit in one epoch, (n,) int8."""
    prefix = epoch.to_bytes(8, "big", signed=True)
    tossed = (hmac.digest(salt, prefix + unit.encode(), "sha256")[0] & 1 for unit in units)
    return np.fromiter(tossed, np.int8) * np.int8(2) - np.int8(1)


def uniforms(salt: bytes, unit: str) -> tuple[float, float, float, float]:
    """Four independent numbers within [0, 1)."""
    first, second, third, fourth = _DRAWS.unpack(hmac.digest(salt, unit.encode(), "sha256"))
    return (
        (first >> 11) * _TO_UNIT,
        (second >> 11) * _TO_UNIT,
        (third >> 11) * _TO_UNIT,
        (fourth >> 11) * _TO_UNIT,
    )


def salt_id(salt: bytes) -> str:
    """Names a salt without giving it away."""
    return hashlib.sha256(b"salt id" + salt).hexdigest()[:8]

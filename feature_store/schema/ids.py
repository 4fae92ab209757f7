"""Ids: where they live and how they are hashed. Every process must agree, so it is all here."""

import zlib
from collections.abc import Iterable, Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

SEPARATOR = "|"
"""Joins the parts of an entity (``user|creator``) and of its ids (``u1|c1``)."""


def partition_of(entity_id: str, partitions: int) -> int:
    """Batch partition of an id: CRC-32 of its UTF-8 bytes, modulo ``partitions``.

    Combined ids live with the first part, which the event itself carries (``u1|c1`` with ``u1``).
    """
    return zlib.crc32(entity_id.partition(SEPARATOR)[0].encode()) % partitions


def partition_column(ids: Sequence[str], partitions: int) -> NDArray[np.int32]:
    """``partition_of`` of each id, none of them combined, (n,) int32."""
    checksums = np.fromiter(map(zlib.crc32, map(str.encode, ids)), np.uint32, len(ids))
    return (checksums % partitions).astype(np.int32)


def hash53(text: str) -> int:
    """Stable 53-bit hash (XXH3), exact in a float64; never 0, which means *none*."""
    return (xxhash.xxh3_64_intdigest(text.encode()) >> 11) or 1


def hash53_column(texts: Iterable[str]) -> NDArray[np.float64]:
    """``hash53`` of each text, (n,) float64."""
    return np.fromiter(map(hash53, texts), dtype=np.float64)

"""Which entities are folded again: those that are named, or a sample."""

import zlib
from collections.abc import Sequence

import numpy as np

from eddyline.parity.refold import Mask
from feature_store.schema.ids import SEPARATOR


class NamedEntities:
    """The entities that were added."""

    def __init__(self) -> None:
        self._ids: dict[str, set[str]] = {}

    def add(self, entity: str, entity_ids: Sequence[str]) -> None:
        """Choose these, too."""
        self._ids.setdefault(entity, set()).update(entity_ids)

    def __call__(self, entity: str, entity_ids: Sequence[str]) -> Mask:
        named = self._ids.get(entity, set())
        return np.fromiter((entity_id in named for entity_id in entity_ids), np.bool_, len(entity_ids))


class SampledEntities:
    """A share of all entities, always the same ones; a combined entity goes with its user."""

    def __init__(self, share: float) -> None:
        self._below = round(share * 2**32)

    def __call__(self, entity: str, entity_ids: Sequence[str]) -> Mask:
        parts = (entity_id.partition(SEPARATOR)[0].encode() for entity_id in entity_ids)
        # Salted: the plain CRC-32 decides the partition, and a share of that would be whole partitions.
        draws = np.fromiter((zlib.crc32(part, 0x9E3779B9) for part in parts), np.uint64, len(entity_ids))
        return draws < self._below

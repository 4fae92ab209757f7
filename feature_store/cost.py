"""What rows need in Redis, before anything is deployed.

From how Redis 7 keeps a string under a key: a hash-table entry and its bucket, the key, an object, the
value, each rounded up as jemalloc allocates; rows that expire have a second entry. An integration test holds
the figures against a real server.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from feature_store.features import Feature, Rate
from feature_store.online.keys import row_prefix
from feature_store.views import HEADER_WIDTH, FeatureView

SLOT_BYTES = 8
_ENTRY_BYTES, _OBJECT_BYTES, _POINTER_BYTES = 24, 16, 8


@dataclass(frozen=True, slots=True)
class ViewCost:
    """Bytes of one view.

    Attributes
    ----------
    row_bytes : what a row holds, read whole by every request that needs the entity
    redis_bytes : what Redis allocates for an entity
    """

    view: FeatureView
    row_bytes: int
    redis_bytes: int


def feature_bytes(feature: Feature) -> int:
    """Bytes of an entity's row that are this feature's state; 0 where it is computed when read."""
    return 0 if isinstance(feature.source, Rate) else feature.source.width * SLOT_BYTES


def view_cost(view: FeatureView, id_bytes: int, entities: int) -> ViewCost:
    """The cost of an entity whose id has ``id_bytes``, where there are ``entities`` rows of all views."""
    row_bytes = view.width * SLOT_BYTES
    key_bytes = len(row_prefix(view.fingerprint, 0)) + id_bytes
    entry = _allocated(_ENTRY_BYTES) + _buckets(entities) * _POINTER_BYTES // entities
    entries = entry if view.ttl_s is None else 2 * entry
    stored = _allocated(_text_bytes(key_bytes)) + _OBJECT_BYTES + _allocated(_text_bytes(row_bytes))
    return ViewCost(view, row_bytes, entries + stored)


def costs(views: Sequence[FeatureView], id_bytes: int, entities: int) -> list[ViewCost]:
    """The cost of each view, where every one has ``entities`` rows."""
    return [view_cost(view, id_bytes, entities * len(views)) for view in views]


def header_bytes() -> int:
    """Bytes of a row that are no feature's."""
    return HEADER_WIDTH * SLOT_BYTES


def _buckets(entries: int) -> int:
    """Redis doubles its hash table."""
    return 1 << max(0, entries - 1).bit_length()


def _text_bytes(n: int) -> int:
    """A Redis string of n bytes, with its header and end."""
    return n + (2 if n < 32 else 4 if n < 256 else 6)


def _allocated(n: int) -> int:
    """The size class of jemalloc: steps of 16 to 128, then four to each doubling."""
    if n <= 128:
        return -(-n // 16) * 16
    step = 1 << ((n - 1).bit_length() - 3)
    return -(-n // step) * step

"""Rows of views that nobody folds or reads any more: which there are, and how they go."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from feature_store.online.base import Checkpoint
from feature_store.online.connection import connect
from feature_store.online.keys import checkpoint_key, row_prefix
from feature_store.online.redis import RedisOnlineStore
from feature_store.settings import Settings

RETIRED = "(retired)"
"""Topic id of the checkpoint of a retired view: whoever would go on from it is refused."""

_KEYS_AT_ONCE = 1_000
_GRACE_S = 3600


@dataclass(frozen=True, slots=True)
class StoredView:
    """A view of which there are checkpoints.

    Attributes
    ----------
    retired : whether its rows are on their way out
    """

    fingerprint: str
    retired: bool


def stored_views(settings: Settings) -> list[StoredView]:
    """Every view that has a checkpoint in some partition; reads all keys of one partition after the other."""
    store, client = RedisOnlineStore.connect(settings), connect(settings)
    partitions = range(settings.batch_partitions)
    fingerprints = {
        key.decode().rpartition(":")[2]
        for partition in partitions
        for key in _keys(client, checkpoint_key("*", partition))
    }
    return [_stored(store, fingerprint, partitions) for fingerprint in sorted(fingerprints)]


def retire(settings: Settings, fingerprint: str, ttl_s: int) -> int:
    """Let the rows of a view expire in ``ttl_s`` seconds; how many there were.

    Until they are gone nobody can fold the view: a row that expired under its folder would be a lost count.
    So its checkpoints become such as no feature worker goes on from, and outlive the rows.
    """
    store, client = RedisOnlineStore.connect(settings), connect(settings)
    marker = msgspec.json.encode(Checkpoint(0, {}, RETIRED, 0))
    rows = 0
    for partition in range(settings.batch_partitions):
        store.claim(fingerprint, partition)
        client.set(checkpoint_key(fingerprint, partition), marker, ex=ttl_s + _GRACE_S)
        rows += _expire(client, row_prefix(fingerprint, partition) + "*", ttl_s)
    return rows


def _stored(store: RedisOnlineStore, fingerprint: str, partitions: range) -> StoredView:
    checkpoints = store.load_checkpoints(fingerprint, list(partitions))
    return StoredView(fingerprint, any(one is not None and one.topic_id == RETIRED for one in checkpoints))


def _expire(client: Any, pattern: str, ttl_s: int) -> int:
    keys, expired = _keys(client, pattern), 0
    while some := list(islice(keys, _KEYS_AT_ONCE)):
        pipeline = client.pipeline()
        for key in some:
            pipeline.expire(key, ttl_s)
        expired += sum(pipeline.execute())
    return expired


def _keys(client: Any, pattern: str) -> Iterator[bytes]:
    found: Iterator[bytes] = client.scan_iter(match=pattern, count=_KEYS_AT_ONCE)
    return found

"""Rows of views that nobody folds any more, or are to be folded anew: which there are, and how they go."""

from collections.abc import Callable, Iterator
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
    rows = 0
    for partition in range(settings.batch_partitions):
        _close(store, client, fingerprint, partition, ttl_s + _GRACE_S)
        rows += _each(
            client, row_prefix(fingerprint, partition) + "*", lambda many, key: many.expire(key, ttl_s)
        )
    return rows


def forget(settings: Settings, fingerprint: str) -> int:
    """Remove the rows of a view with its checkpoints; how many rows there were.

    A feature worker that folds the view is refused until all is gone, also where this was cut off; then it
    begins where the log does.
    """
    store, client = RedisOnlineStore.connect(settings), connect(settings)
    rows = 0
    for partition in range(settings.batch_partitions):
        _close(store, client, fingerprint, partition)
        rows += _each(client, row_prefix(fingerprint, partition) + "*", lambda many, key: many.delete(key))
    for partition in range(settings.batch_partitions):
        client.delete(checkpoint_key(fingerprint, partition))
    return rows


def _close(
    store: RedisOnlineStore, client: Any, fingerprint: str, partition: int, for_s: int | None = None
) -> None:
    """Take a view away from whoever folds it, and let nobody go on from its checkpoint."""
    store.claim(fingerprint, partition)
    marker = msgspec.json.encode(Checkpoint(0, {}, RETIRED, 0))
    client.set(checkpoint_key(fingerprint, partition), marker, ex=for_s)


def _stored(store: RedisOnlineStore, fingerprint: str, partitions: range) -> StoredView:
    checkpoints = store.load_checkpoints(fingerprint, list(partitions))
    return StoredView(fingerprint, any(one is not None and one.topic_id == RETIRED for one in checkpoints))


def _each(client: Any, pattern: str, change: Callable[[Any, bytes], object]) -> int:
    """Change every key of a pattern; how many were."""
    keys, changed = _keys(client, pattern), 0
    while some := list(islice(keys, _KEYS_AT_ONCE)):
        pipeline = client.pipeline()
        for key in some:
            change(pipeline, key)
        changed += sum(pipeline.execute())
    return changed


def _keys(client: Any, pattern: str) -> Iterator[bytes]:
    found: Iterator[bytes] = client.scan_iter(match=pattern, count=_KEYS_AT_ONCE)
    return found

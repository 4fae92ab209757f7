"""Who and what is in the panel: the same ones in every epoch, chosen by a hash that nobody can steer."""

from collections.abc import Iterable

import numpy as np

from ranker.experiments.coins import uniforms
from ranker.pipeline.batch import CandidateBatch
from ranker.pipeline.items import ItemColumns

_MIX = np.uint64(0x9E3779B97F4A7C15)


def sampled_users(salt: bytes, users: Iterable[str], size: int) -> list[str]:
    """The ``size`` users with the smallest keyed hash."""
    distinct = sorted(set(users))
    return sorted(distinct, key=lambda user: uniforms(salt, f"panel {user}")[0])[:size]


def sampled_items(items: ItemColumns, size: int, now_ms: int) -> CandidateBatch:
    """At most ``size`` items that are not over at ``now_ms``, those with the smallest mixed hash."""
    rows = np.arange(len(items))
    rows = rows[~items.expired(rows, now_ms)]
    everyone = items.batch(
        [items.item_ids[row] for row in rows.tolist()], rows, np.zeros(len(rows), np.int32), ("panel",)
    )
    order = np.argsort(everyone.item_hash.astype(np.uint64) * _MIX, kind="stable")
    return everyone.take(order[:size])

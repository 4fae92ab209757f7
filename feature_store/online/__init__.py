"""Rows of state where rank requests read them: the contract, one in memory, one on Redis."""

from feature_store.online.base import (
    Checkpoint,
    Claim,
    OnlineStore,
    RolledBack,
    RowKey,
    RowsOf,
    Run,
    StaleOwner,
)
from feature_store.online.memory import MemoryOnlineStore
from feature_store.online.redis import RedisOnlineStore
from feature_store.settings import Settings

__all__ = [
    "Checkpoint",
    "Claim",
    "MemoryOnlineStore",
    "OnlineStore",
    "RedisOnlineStore",
    "RolledBack",
    "RowKey",
    "RowsOf",
    "Run",
    "StaleOwner",
    "online_store",
]


def online_store(settings: Settings) -> RedisOnlineStore:
    """The store that the settings name; raises :class:`EvictingRedis`."""
    return RedisOnlineStore.connect(settings)

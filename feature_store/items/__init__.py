"""The `items` topic in memory: what every ingest and ranker knows about items."""

from feature_store.items.follower import ItemsFollower
from feature_store.items.table import CreatorChanged, ItemRecord, ItemTable

__all__ = ["CreatorChanged", "ItemRecord", "ItemTable", "ItemsFollower"]

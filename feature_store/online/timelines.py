"""Ready timelines: the last answer of each user, as bytes. The last write wins; nothing is fenced."""

from collections.abc import Mapping
from typing import Protocol

from redis import Redis
from redis.cluster import RedisCluster

_PREFIX = "timeline:"


class TimelineStore(Protocol):
    """Where ready timelines live."""

    def put(self, timelines: Mapping[str, bytes], ttl_s: int) -> None:
        """Write the timelines of several users, each kept for ``ttl_s`` seconds."""

    def get(self, user_id: str) -> bytes | None:
        """The user's last timeline; None where there is none."""


class MemoryTimelineStore:
    """A `TimelineStore` in this process; nothing expires."""

    def __init__(self) -> None:
        self._timelines: dict[str, bytes] = {}

    def put(self, timelines: Mapping[str, bytes], ttl_s: int) -> None:
        """See `TimelineStore.put`."""
        self._timelines.update(timelines)

    def get(self, user_id: str) -> bytes | None:
        """See `TimelineStore.get`."""
        return self._timelines.get(user_id)


class RedisTimelineStore:
    """A `TimelineStore` under ``timeline:<user>``; writes travel in one round trip."""

    def __init__(self, redis: Redis | RedisCluster) -> None:
        self._redis = redis

    def put(self, timelines: Mapping[str, bytes], ttl_s: int) -> None:
        """See `TimelineStore.put`; raises what the client raises."""
        with self._redis.pipeline(transaction=False) as pipeline:
            for user_id, timeline in timelines.items():
                pipeline.set(_PREFIX + user_id, timeline, ex=ttl_s)
            pipeline.execute()

    def get(self, user_id: str) -> bytes | None:
        """See `TimelineStore.get`; raises what the client raises."""
        timeline = self._redis.get(_PREFIX + user_id)
        return timeline if isinstance(timeline, bytes) else None

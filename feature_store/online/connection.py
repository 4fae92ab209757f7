"""Redis clients made from the settings: one server or a cluster, with or without TLS."""

from typing import Any

from redis import Redis
from redis.cluster import RedisCluster

from feature_store.settings import Settings


class EvictingRedis(RuntimeError):  # noqa: N818  (reads as what it is)
    """A Redis that may evict keys: an evicted row is a lost count."""


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def connect(settings: Settings, timeout_ms: int | None = None) -> "Redis | RedisCluster":
    """A client with the socket timeout ``timeout_ms`` (default: the writers')."""
    timeout_s = (timeout_ms or settings.redis_timeout_ms) / 1000
    url = settings.redis_url.get_secret_value()
    if settings.redis_cluster:
        return RedisCluster.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)
    return Redis.from_url(url, socket_timeout=timeout_s, socket_connect_timeout=timeout_s)


def require_no_eviction(client: "Redis | RedisCluster") -> None:
    """Raise :class:`EvictingRedis` unless ``maxmemory-policy`` is ``noeviction`` on every node."""
    answer: dict[Any, Any] = client.config_get("maxmemory-policy")
    policy = _text(next(iter(answer.values())))
    if policy != "noeviction":
        raise EvictingRedis(
            f"maxmemory-policy is {policy}, so Redis may drop rows and with them counts; "
            "set it: redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf"
        )

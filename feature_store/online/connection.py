"""Redis clients made from the settings: one server or a cluster, with or without TLS."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.exceptions import RedisError
from redis.retry import Retry

from feature_store.settings import Settings


class EvictingRedis(RuntimeError):  # noqa: N818  (reads as what it is)
    """A Redis that may evict keys: an evicted row is a lost count."""


def connect(settings: Settings, timeout_ms: int | None = None) -> "Redis | RedisCluster":
    """A client for writers; with ``timeout_ms`` one for readers: fails by then, tries once."""
    timeout_s = (timeout_ms or settings.redis_timeout_ms) / 1000
    url = settings.redis_url.get_secret_value()
    options: dict[str, Any] = {"socket_timeout": timeout_s, "socket_connect_timeout": timeout_s}
    if timeout_ms is not None:
        options["retry"] = Retry(NoBackoff(), 0)
    if settings.redis_cluster:
        return RedisCluster.from_url(url, **options)
    return Redis.from_url(url, **options)


def require_no_eviction(client: "Redis | RedisCluster") -> None:
    """Raise :class:`EvictingRedis` unless ``maxmemory-policy`` is ``noeviction`` on every node."""
    for server, policy in _eviction_policies(client):
        if policy != "noeviction":
            raise EvictingRedis(
                f"maxmemory-policy of {server} is {policy}, so it may drop rows and with them counts; "
                "set it there: redis-cli CONFIG SET maxmemory-policy noeviction, and in redis.conf"
            )


def _eviction_policies(client: "Redis | RedisCluster") -> Iterator[tuple[str, str]]:
    """Each server and its policy. A cluster answers for its default node alone unless asked for each."""
    if not isinstance(client, RedisCluster):
        yield "Redis", _policy(client.config_get("maxmemory-policy"))
        return
    for node in client.get_nodes():  # type: ignore[no-untyped-call]
        answer = client.config_get("maxmemory-policy", target_nodes=node)
        yield f"Redis node {node.name}", _policy(answer)


def _policy(answer: Any) -> str:
    (policy,) = answer.values()
    return policy.decode() if isinstance(policy, bytes) else str(policy)


@contextmanager
def redis_errors(what: str) -> Iterator[None]:
    """Raise what Redis raises as ConnectionError that says what was asked for."""
    try:
        yield
    except RedisError as error:
        raise ConnectionError(f"{what}: {error}") from error

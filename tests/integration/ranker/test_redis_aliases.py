"""Aliases in Redis, one server or a cluster, obey the laws; a Redis that is gone is said to be."""

from collections.abc import Iterator

import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

from ranker.registry.aliases import Aliases, RedisAliases
from ranker.registry.models import RegistryUnavailable
from tests.laws.alias_laws import AliasLaws, change

pytestmark = pytest.mark.integration


class TestRedisAliases(AliasLaws):
    @pytest.fixture
    def aliases(self, redis_url: str) -> Iterator[Aliases]:
        with Redis.from_url(redis_url) as redis:
            redis.flushdb()
            yield RedisAliases(redis)


class TestRedisClusterAliases(AliasLaws):
    @pytest.fixture
    def aliases(self, redis_cluster_url: str) -> Iterator[Aliases]:
        with RedisCluster.from_url(redis_cluster_url) as redis:
            redis.flushdb()
            yield RedisAliases(redis)


def test_aliases_out_of_reach_are_an_error_that_says_so() -> None:
    gone = RedisAliases(Redis(port=1, socket_connect_timeout=0.5, retry=Retry(NoBackoff(), 0)))
    with pytest.raises(RegistryUnavailable, match="cannot be read"):
        gone.get("champion")
    with pytest.raises(RegistryUnavailable, match="cannot be read"):
        gone.history()
    with pytest.raises(RegistryUnavailable, match="champion cannot be set"):
        gone.compare_and_set(change("counters/1", None))

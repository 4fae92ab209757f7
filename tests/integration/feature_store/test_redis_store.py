"""Redis, one server and a cluster, obeys the laws of the online store."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr
from redis import Redis

from eddyline.stack.background import running
from eddyline.stack.parts import Parts
from eddyline.stack.ports import Ports
from eddyline.stack.redis import redis as redis_process
from eddyline.stack.settings import StackSettings
from feature_store.online import OnlineStore, RedisOnlineStore
from feature_store.online.base import RowsOf
from feature_store.online.connection import EvictingRedis, connect
from feature_store.online.keys import row_prefix
from feature_store.settings import Settings
from tests.laws.store_laws import PARTITION, VIEW, OnlineStoreLaws

pytestmark = pytest.mark.integration


class TestRedis(OnlineStoreLaws):
    @pytest.fixture
    def store(self, redis_url: str) -> Iterator[OnlineStore]:
        client = connect(Settings(redis_url=SecretStr(redis_url)))
        client.flushdb()
        yield RedisOnlineStore(client)
        client.close()

    def test_a_script_that_the_server_forgot_is_loaded_again(
        self, store: OnlineStore, redis_url: str
    ) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1")])
        with Redis.from_url(redis_url) as client:
            client.script_flush()
        store.put_rows(VIEW, PARTITION, epoch, 2, [("u", b"2")])
        with Redis.from_url(redis_url) as client:
            assert client.get(row_prefix(VIEW, PARTITION) + "u") == b"2"

    def test_a_connection_that_the_server_closed_meanwhile_costs_no_read(
        self, store: OnlineStore, redis_url: str
    ) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1")])
        with Redis.from_url(redis_url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        assert store.read([RowsOf(VIEW, ["u"], PARTITION)]) == [[b"1"]]

    def test_a_time_to_live_is_set_and_refreshed(self, store: OnlineStore, redis_url: str) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1")], 1000)
        with Redis.from_url(redis_url) as client:
            assert 0 < client.ttl(row_prefix(VIEW, PARTITION) + "u") <= 1000

    def test_a_server_that_may_evict_is_refused(self, redis_url: str) -> None:
        with Redis.from_url(redis_url) as client:
            before = client.config_get("maxmemory-policy")["maxmemory-policy"]
            client.config_set("maxmemory-policy", "allkeys-lru")
            try:
                with pytest.raises(EvictingRedis, match="noeviction"):
                    RedisOnlineStore.connect(Settings(redis_url=SecretStr(redis_url)))
            finally:
                client.config_set("maxmemory-policy", before)


class TestRedisCluster(OnlineStoreLaws):
    @pytest.fixture
    def store(self, redis_cluster_url: str) -> Iterator[OnlineStore]:
        client = connect(Settings(redis_url=SecretStr(redis_cluster_url), redis_cluster=True))
        client.flushdb()
        yield RedisOnlineStore(client)
        client.close()

    def test_a_caller_in_a_hurry_waits_no_longer_than_it_can(
        self, store: OnlineStore, redis_cluster_url: str
    ) -> None:
        epoch = store.claim(VIEW, PARTITION).epoch
        store.put_rows(VIEW, PARTITION, epoch, 1, [("u", b"1")])
        wanted = [RowsOf(VIEW, ["u"], PARTITION)]
        with Redis.from_url(redis_cluster_url) as client:
            client.client_pause(3_000)
            with pytest.raises(TimeoutError, match="cluster"), store.asking(lambda: 10.0) as ask:
                ask(wanted)()
            client.ping()  # answered once the pause is over
        with store.asking() as ask:
            assert ask(wanted)() == [[b"1"]]


HALVES = ((0, 8_191), (8_192, 16_383))
"""The slots of each node of a cluster of two."""


@pytest.fixture
def two_ports(
    stack_settings: StackSettings, parts: Parts, ports: Ports, stack_home: Path
) -> Iterator[list[int]]:
    """Ports of the two nodes of a cluster."""
    names = ["redis-cluster-left", "redis-cluster-right"]
    chosen = [ports[name] for name in names]
    nodes = [
        redis_process(stack_settings, parts, stack_home / name, port, name=name, cluster=True)
        for name, port in zip(names, chosen, strict=True)
    ]
    with running(nodes, stack_home / "logs"):
        for port, slots in zip(chosen, HALVES, strict=True):
            with Redis(port=port) as client:
                client.execute_command("CLUSTER", "ADDSLOTSRANGE", *slots)
                client.execute_command("CLUSTER", "MEET", "127.0.0.1", chosen[0])
        for port in chosen:
            with Redis(port=port) as client:
                while b"cluster_state:ok" not in client.execute_command("CLUSTER", "INFO"):
                    pass
        yield chosen


def test_a_cluster_is_refused_for_any_node_that_may_evict(two_ports: list[int]) -> None:
    settings = Settings(redis_url=SecretStr(f"redis://127.0.0.1:{two_ports[0]}/0"), redis_cluster=True)
    RedisOnlineStore.connect(settings)
    for port in two_ports:
        with Redis(port=port) as client:
            client.config_set("maxmemory-policy", "allkeys-lru")
            with pytest.raises(EvictingRedis, match=f"127.0.0.1:{port} is allkeys-lru"):
                RedisOnlineStore.connect(settings)
            client.config_set("maxmemory-policy", "noeviction")

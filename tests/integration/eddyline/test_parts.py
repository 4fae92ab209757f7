"""The real parts come up from the pieces of the local stack."""

import httpx
import pytest
from confluent_kafka.admin import AdminClient
from redis import Redis
from redis.cluster import RedisCluster

pytestmark = pytest.mark.integration


def test_the_broker_creates_topics_only_when_asked(kafka, make_topics):
    [name] = make_topics("events", partitions=3)
    topics = AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=5).topics
    assert len(topics[name].partitions) == 3


def test_redis_appends_to_a_file_takes_no_snapshots_and_never_evicts(redis_url):
    with Redis.from_url(redis_url, decode_responses=True) as client:
        assert client.config_get("appendonly", "save", "maxmemory-policy") == {
            "appendonly": "yes",
            "save": "",
            "maxmemory-policy": "noeviction",
        }


def test_the_redis_cluster_owns_all_slots(redis_cluster_url):
    with RedisCluster.from_url(redis_cluster_url) as client:
        client.set("{p1}key", b"value")
        assert client.get("{p1}key") == b"value"


def test_triton_serves_without_a_model(triton):
    assert httpx.get(f"{triton.http}/v2/health/ready").status_code == 200
    index = httpx.post(f"{triton.http}/v2/repository/index").json()
    assert index == []

"""What the cost of rows is said to be is what a real Redis takes."""

import pytest
from redis import Redis

from feature_store.aggregators import Age, RecentIds
from feature_store.catalog import load_catalog
from feature_store.cost import view_cost
from feature_store.online.base import Checkpoint, Run
from feature_store.online.redis import RedisOnlineStore
from feature_store.views import Feature, FeatureView

pytestmark = pytest.mark.integration

ROWS = 59 * 256
"""Fewer than a power of two, so that Redis is not growing its hash table while it is measured."""
EXPIRING = FeatureView("brief", "user", (Feature("age_s", Age("impression")),), ttl_s=3600)
WIDE = FeatureView("wide", "user", (Feature("seen", RecentIds("impression", "item_hash", 300)),))


@pytest.mark.parametrize("view", [load_catalog().view("item"), EXPIRING, WIDE], ids=lambda view: view.name)
def test_the_memory_of_an_entity_is_within_three_percent_of_what_was_said(
    redis_url: str, view: FeatureView
) -> None:
    with Redis.from_url(redis_url.removesuffix("/0") + "/7") as client:
        client.flushdb()
        store = RedisOnlineStore(client)
        epoch = store.claim(view.fingerprint, 0).epoch
        before = _kept_bytes(client)
        row = view.blank_rows(1).tobytes()
        chunks = [[(f"{n:016d}", row) for n in range(at, at + 256)] for at in range(0, ROWS, 256)]
        store.put_runs(
            [Run(view.fingerprint, 0, epoch, 1, chunks, Checkpoint(1, {0: 1}, "t", 1), view.ttl_s)]
        )
        taken = (_kept_bytes(client) - before) / ROWS
        client.flushdb()
    assert taken == pytest.approx(view_cost(view, 16, ROWS).redis_bytes, rel=0.03)


def _kept_bytes(client: Redis) -> int:
    """Memory in use but for buffers of what is under way: of clients, and of the append-only file."""
    memory = client.info("memory")
    return memory["used_memory"] - memory["mem_clients_normal"] - memory["mem_aof_buffer"]

"""Filters, over rows as the feature workers write them."""

import numpy as np

from feature_store.fetcher import RowFetcher
from feature_store.online import RedisOnlineStore
from feature_store.schema.events import ItemRemovedEvent
from feature_store.schema.ids import hash53
from ranker.filters.unknown_item import UnknownItem
from ranker.hydrators.rows import RowHydrator
from ranker.pipeline.fakes import FailingHydrator
from tests.unit.feature_store.online.silent_redis import silent_redis
from tests.unit.ranker.world import CATALOG, NOW_MS, PARTITIONS, SERVICE, World, answered


def test_an_item_on_the_screen_before_is_not_shown_again_and_the_outcome_says_why():
    world = World()
    ids = world.announce(4)
    world.saw("u1", "i1", "i3")
    outcome = world.pipeline().rank(world.query(ids))
    assert set(answered(outcome)) == {"i0", "i2"}
    assert outcome.removed_by["seen"] == ["i1", "i3"]


def test_what_another_user_saw_is_shown():
    world = World()
    ids = world.announce(2)
    world.saw("u2", *ids)
    assert set(answered(world.pipeline().rank(world.query(ids)))) == set(ids)


def test_a_removed_item_and_one_whose_time_is_over_are_dropped():
    world = World()
    ids = world.announce(2)
    world.item("over", expires_time_ms=NOW_MS)
    world.item("lasting", expires_time_ms=NOW_MS + 1)
    world.table.apply(ItemRemovedEvent(event_id="x", event_time_ms=NOW_MS, item_id="i0"))
    outcome = world.pipeline().rank(world.query([*ids, "over", "lasting"]))
    assert set(answered(outcome)) == {"i1", "lasting"}
    assert outcome.removed_by["expired"] == ["i0", "over"]


def test_items_of_a_blocked_creator_are_dropped_and_items_without_creator_stay():
    world = World()
    ids = world.announce(3, creators=3)
    world.item("orphan")
    world.row("user_blocks", "u1", blocked_creators=[float(hash53("c1"))])
    outcome = world.pipeline().rank(world.query([*ids, "orphan"]))
    assert set(answered(outcome)) == {"i0", "i2", "orphan"}
    assert outcome.removed_by["blocked_creator"] == ["i1"]


def test_an_unknown_item_is_ranked_and_its_source_says_so_unless_the_surface_wants_known_ones():
    world = World()
    world.announce(1)
    outcome = world.pipeline().rank(world.query(["i0", "who"]))
    sources = [outcome.batch.source_names[each] for each in outcome.batch.sources.tolist()]
    assert dict(zip(outcome.batch.item_ids, sources, strict=True)) == {
        "i0": "request",
        "who": "request_unknown_item",
    }
    world.filters = (UnknownItem(),)
    assert answered(world.pipeline().rank(world.query(["i0", "who"]))) == ["i0"]


def test_an_unknown_item_is_seen_by_its_id():
    world = World()
    world.saw("u1", "who")
    assert answered(world.pipeline().rank(world.query(["who"]))) == []


def test_history_that_cannot_be_read_removes_nothing_but_is_said():
    world = World()
    ids = world.announce(2)
    world.saw("u1", *ids)
    world.hydrator = FailingHydrator(world.hydrator, ConnectionError("no Redis"))
    outcome = world.pipeline().rank(world.query(ids))
    assert answered(outcome) == ids
    assert outcome.degraded == ("features_unavailable", "scored_by_input_order")


def test_a_redis_that_does_not_answer_in_time_is_said_to_be_late():
    world = World()
    ids = world.announce(2)
    with silent_redis() as client:
        fetcher = RowFetcher(RedisOnlineStore(client))
        world.hydrator = RowHydrator(CATALOG, SERVICE, world.items, fetcher, PARTITIONS)
        outcome = world.pipeline().rank(world.query(ids))
    assert answered(outcome) == ids
    assert outcome.degraded == ("features_late", "scored_by_input_order")


def test_hundreds_of_candidates_of_many_creators_each_keep_their_own_columns():
    world = World()
    ids = world.announce(300, creators=150)
    for n in range(0, 300, 7):
        world.row("item", f"i{n}", impression_count_total=[float(n)])
    features = world.hydrator.hydrate(
        world.query(ids),
        world.items.batch(ids, world.items.rows_of(ids), np.zeros(300, np.int32), ("request",)),
    )
    expected = [float(n) if n % 7 == 0 else 0.0 for n in range(300)]
    assert features.candidates[:, 0].tolist() == expected

"""Each column of the model's input comes from where the feature service says."""

import numpy as np

from feature_store.schema.events import MAX_NUMBER
from feature_store.schema.ids import hash53, partition_of
from ranker.pipeline.marks import row_marks
from tests.unit.ranker.world import NOW_MS, PARTITIONS, SERVICE, World


def hydrated(world: World, ids: list[str]):
    batch = world.items.batch(ids, world.items.rows_of(ids), np.zeros(len(ids), np.int32), ("request",))
    return world.hydrator.hydrate(world.query(ids), batch)


def column(features, reference: str) -> list[float]:
    return features.candidates[:, SERVICE.candidate.index(reference)].tolist()


def test_counts_of_item_creator_and_pairs_reach_their_columns():
    world = World()
    world.item("a", creator_id="c1", attributes={"genres": ["drama"]})
    world.item("b", creator_id="c2", attributes={"genres": ["drama", "noir"]})
    world.row("item", "b", click_count_total=[5.0])
    world.row("creator", "c1", click_count_total=[7.0])
    world.row("user|creator", "u1|c2", click_count_total=[3.0])
    features = hydrated(world, ["a", "b"])
    assert column(features, "item.click_count_total") == [0.0, 5.0]
    assert column(features, "creator.click_count_total") == [7.0, 0.0]
    assert column(features, "user|creator.click_count_total") == [0.0, 3.0]


def test_an_items_genres_are_averaged_and_an_item_without_genres_has_the_defaults():
    world = World()
    world.item("one", attributes={"genres": ["drama"]})
    world.item("two", attributes={"genres": ["drama", "noir"]})
    world.item("none")
    world.row("user|genres", "u1|drama", click_count_total=[4.0])
    world.row("user|genres", "u1|noir", click_count_total=[1.0])
    features = hydrated(world, ["one", "two", "none", "unknown"])
    assert column(features, "user|genres.click_count_total") == [4.0, 2.5, 0.0, 0.0]
    assert column(features, "user|genres.ctr_total")[2:] == [0.125, 0.125]


def test_item_attributes_come_from_memory_and_fall_back_to_their_defaults():
    world = World()
    world.item("a", attributes={"popularity": 9.5, "runtime": "long"})
    features = hydrated(world, ["a", "unknown"])
    assert column(features, "attribute.popularity") == [9.5, 0.0]
    assert column(features, "attribute.runtime") == [0.0, 0.0]


def test_the_largest_numbers_that_events_may_hold_reach_a_model_as_numbers():
    world = World()
    world.item("a", attributes={"popularity": MAX_NUMBER, "budget": -MAX_NUMBER})
    world.row("item", "a", impressions_1h=[2.0**53 * MAX_NUMBER])
    features = hydrated(world, ["a"])
    assert column(features, "attribute.popularity") == [np.float32(MAX_NUMBER)]
    assert np.isfinite(features.candidates).all()
    assert world.pipeline().rank(world.query(["a"])).degraded == ()


def test_ids_are_hashes_and_zero_where_there_is_none():
    world = World()
    world.item("a", creator_id="c1", attributes={"genres": ["drama", "noir"], "tags": "x"})
    features = hydrated(world, ["a", "unknown"])
    expected = [hash53("u1"), hash53("a"), hash53("c1"), hash53("drama"), hash53("noir"), 0, hash53("x"), 0]
    assert features.ids[0, :8].tolist() == expected
    assert features.ids[1, :8].tolist() == [hash53("u1"), hash53("unknown"), 0, 0, 0, 0, 0, 0]


def test_what_the_user_clicked_last_is_told_of_all_candidates_the_newest_first():
    world = World()
    world.row("user_recents", "u1", clicked_items=[17.0, 1017.0, *range(1002, 1017)])
    features = hydrated(world, ["a", "b"])
    assert features.ids[:, 8:].tolist() == [[1017, *range(1016, 1001, -1)]] * 2
    marks = row_marks(features.rows_read, np.arange(2))
    assert marks.row_offset[marks.names.index("user_recents")].tolist() == [3, 3]


def test_a_user_who_has_clicked_nothing_or_is_not_known_yet_has_no_recent_ids():
    world = World()
    world.row("user_recents", "u1", clicked_items=[1.0, 1001.0])
    batch = world.items.batch(["a"], world.items.rows_of(["a"]), np.zeros(1, np.int32), ("request",))
    assert hydrated(world, ["a"]).ids[0, 8:].tolist() == [1001, *[0] * 15]
    assert world.hydrator.hydrate(world.query(["a"], user_id="new"), batch).ids[0, 8:].tolist() == [0] * 16
    assert world.hydrator.blank(world.query(["a"]), batch).ids[0, 8:].tolist() == [0] * 16


def test_the_users_columns_are_read_once_with_their_age():
    world = World()
    world.item("a")
    world.row("user", "u1", click_count_total=[6.0])
    features = hydrated(world, ["a"])
    assert features.user.shape == (1, len(SERVICE.user))
    assert features.user[0, SERVICE.user.index("user.click_count_total")] == 6.0
    assert features.age_ms == 500
    assert hydrated(World(), ["a"]).age_ms is None


def test_marks_say_which_version_of_each_row_was_read():
    world = World()
    world.item("a", creator_id="c1", attributes={"genres": ["drama", "noir"]})
    world.row("item", "a")
    world.row("user|genres", "u1|noir")
    marks = row_marks(hydrated(world, ["a", "b"]).rows_read, np.array([0, 1]))
    offsets = dict(zip(marks.names, marks.row_offset.tolist(), strict=True))
    partitions = dict(zip(marks.names, marks.partition.tolist(), strict=True))
    assert offsets["item"] == [3, -1]
    assert partitions["item"] == [partition_of("a", PARTITIONS), -1]
    assert offsets["user|genres[0]"] == [-1, -1]
    assert offsets["user|genres[1]"] == [3, -1]
    assert partitions["user|genres[1]"] == [partition_of("u1", PARTITIONS), -1]
    assert offsets["user"] == [-1, -1]


def test_marks_are_those_of_the_candidates_that_are_asked_for():
    world = World()
    world.item("a")
    world.row("item", "b")
    marks = row_marks(hydrated(world, ["a", "b", "c"]).rows_read, np.array([2, 1]))
    assert marks.row_offset[marks.names.index("item")].tolist() == [-1, 3]


def test_a_row_is_marked_by_the_same_name_however_many_texts_other_items_have():
    world = World()
    world.item("a", creator_id="c1", attributes={"genres": ["drama"]})
    world.row("user|genres", "u1|drama", click_count_total=[4.0])
    world.row("creator", "c1")
    for wider in (["noir", "horror", "comedy"], None):
        marks = row_marks(hydrated(world, ["a"]).rows_read, np.array([0]))
        offsets = dict(zip(marks.names, marks.row_offset[:, 0].tolist(), strict=True))
        assert (offsets["user|genres[0]"], offsets["creator"]) == (3, 3)
        assert column(hydrated(world, ["a", "b"]), "user|genres.click_count_total")[0] == 4.0
        if wider:
            world.item("b", attributes={"genres": wider})


def test_an_item_may_lose_texts_and_its_creator_stays():
    world = World()
    world.item("a", creator_id="c1", attributes={"genres": ["drama", "noir"]})
    world.item("a", creator_id="c1", attributes={"genres": ["noir"]})
    genres = [SERVICE.ids.index(each) for each in SERVICE.ids if each.name.startswith("genre")]
    assert hydrated(world, ["a"]).ids[0, genres].tolist() == [hash53("noir"), 0, 0]


def test_everything_is_finalized_for_the_moment_that_the_request_names():
    world = World()
    world.item("a")
    world.row("item", "a", click_age_s=[float(NOW_MS - 2000)])
    assert column(hydrated(world, ["a"]), "item.click_age_s") == [2.0]


def test_columns_grow_while_readers_hold_the_old_ones():
    world = World()
    before = world.items.rows_of(["i0"])
    ids = world.announce(5000, creators=3000)
    assert before.tolist() == [-1]
    features = hydrated(world, ids)
    assert features.ids[:, 1].tolist() == [hash53(item) for item in ids]
    assert features.ids[4999, 2] == hash53("c1999")

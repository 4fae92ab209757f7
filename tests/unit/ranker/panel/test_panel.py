"""The panel: what it reads, when, and what it says of each feature."""

from dataclasses import replace

import numpy as np
import pytest

from feature_store.schema.panel import PanelRows, decode_panel, encode_panel
from ranker.experiments.nudge import Nudges
from ranker.panel.panel import EpochMissed, Panel, watched_columns
from ranker.panel.sample import sampled_items, sampled_users
from ranker.panel.scoring import PanelScorer
from ranker.panel.users import Users
from ranker.policies.value_model import ValueModel
from tests.unit.ranker.world import CATALOG, MODEL, NOW_MS, SERVICE, World

EPOCH_MS = 60_000
EPOCH = NOW_MS // EPOCH_MS + 1
VALUE = ValueModel({"click": 1.0, "like": 2.0})


class LogInMemory:
    def __init__(self) -> None:
        self.rows: dict[tuple[str, int], PanelRows] = {}

    def publish(self, partition: int, rows: PanelRows) -> None:
        decoded = decode_panel(encode_panel(rows))
        self.rows[decoded.header.user_slice, partition] = decoded

    def flush(self) -> None:
        """Nothing waits."""

    def by_item(self, user_slice: str = "") -> dict[str, tuple[float, np.ndarray, float]]:
        return {
            item: (rows.raw_score[n], rows.contributions[n], rows.nudge[n])
            for (name, _), rows in self.rows.items()
            if name == user_slice
            for n, item in enumerate(rows.item_ids.to_pylist())
        }


class Panels:
    """A panel over a world with some items that people clicked."""

    def __init__(
        self,
        *,
        items: int = 12,
        items_max: int = 1_000,
        nudges_on: bool = True,
        rows: int = 64,
        slices: tuple[str, ...] = (),
    ):
        self.world, self.log = World(), LogInMemory()
        self.world.announce(items)
        for n in range(0, items, 2):
            self.world.row(
                "item", f"i{n}", impression_count_total=[float(9 * n)], click_count_total=[float(n)]
            )
        world = self.world
        self.watched = watched_columns(SERVICE.candidate, world.hydrator, world.items, world.clock)
        scorer = PanelScorer(world.client, VALUE, self.watched, rows, 100.0)
        self.panel = Panel(
            world.items,
            world.hydrator,
            scorer,
            Nudges(b"salt", 0.1),
            self.log,
            world.clock,
            features=self.watched.names,
            epoch_ms=EPOCH_MS,
            items_max=items_max,
            nudges_on=lambda: nudges_on,
            slices=slices,
        )

    def published(self, *users: str) -> dict[str, tuple[float, np.ndarray, float]]:
        self.publish({"": users} if users else {})
        return self.log.by_item()

    def publish(self, users: Users) -> None:
        self.panel.publish(self.panel.read(EPOCH, users), MODEL)


def test_a_raw_score_is_the_one_that_the_pipeline_would_give_averaged_over_users():
    panels = Panels()
    published = panels.published("u1", "u2")
    pipeline = panels.world.pipeline()
    expected = dict.fromkeys(published, 0.0)
    for user in ("u1", "u2"):
        query = panels.world.query(list(published), user_id=user)
        outcome = pipeline.rank(replace(query, finalize_time_ms=EPOCH * EPOCH_MS))
        for item, raw in zip(outcome.batch.item_ids, outcome.scores.raw, strict=True):
            expected[item] += raw / 2
    assert {item: raw for item, (raw, _, _) in published.items()} == pytest.approx(expected)


def test_a_contribution_is_the_score_minus_that_with_the_feature_at_its_reference():
    panels = Panels()
    published = panels.published("u1")
    reading = panels.panel.read(EPOCH, {"": ("u1",)})
    features = reading.features[""][0]
    for number, place in enumerate(panels.watched.places.tolist()):
        changed = features.candidates.copy()
        changed[:, place] = panels.watched.reference[number]
        as_is, without = (
            VALUE.value(panels.world.client.infer("ranker", "7", features.user, each, features.ids, 100.0))
            for each in (features.candidates, changed)
        )
        for n, item in enumerate(reading.batch.item_ids):
            assert published[item][1][number] == pytest.approx((as_is - without)[n], abs=1e-12)


def test_attributes_of_items_are_watched_like_what_events_feed():
    watched = Panels().watched
    assert watched.names == SERVICE.candidate
    popularity = watched.names.index("attribute.popularity")
    assert watched.reference[popularity] == CATALOG.attribute("popularity").default


def test_an_epoch_whose_rows_are_read_too_late_is_missed():
    panels = Panels()
    panels.world.clock.advance(EPOCH_MS)
    with pytest.raises(EpochMissed, match=str(EPOCH)):
        panels.panel.read(EPOCH, {"": ("u1",)})


def test_what_is_published_after_half_its_epoch_is_late():
    panels = Panels()
    clock = panels.world.clock
    clock.advance(EPOCH * EPOCH_MS - clock.now_ms() + EPOCH_MS // 2 - 1)
    assert not panels.panel.late(EPOCH)
    clock.advance(1)
    assert panels.panel.late(EPOCH)


def test_the_nudge_in_the_panel_is_the_one_that_rankings_get():
    published = Panels().published()
    expected = Nudges(b"salt", 0.1).of_items(EPOCH, list(published))
    assert [nudge for _, _, nudge in published.values()] == expected.tolist()


def test_while_nudges_are_switched_off_the_panel_says_so():
    assert {nudge for _, _, nudge in Panels(nudges_on=False).published().values()} == {0.0}


def test_messages_say_how_many_items_all_of_them_hold():
    panels = Panels()
    published = panels.published("u1", "u2")
    headers = {rows.header for rows in panels.log.rows.values()}
    (header,) = headers
    assert (header.items, header.users, header.epoch) == (len(published), 2, EPOCH)
    assert header.model_version == f"{MODEL.name}:{MODEL.version}"
    assert len(panels.log.rows) > 1


def test_calls_of_any_size_give_the_same_scores():
    one, many = (Panels(rows=rows).published("u1") for rows in (10_000, 7))
    assert all(np.allclose(one[item][1], many[item][1]) and one[item][0] == many[item][0] for item in one)


def test_of_a_large_catalogue_the_same_items_are_scored_every_time():
    world = World()
    world.announce(60)
    few = sampled_items(world.items, 20, NOW_MS).item_ids
    world.announce(80)
    more = sampled_items(world.items, 20, NOW_MS).item_ids
    assert len(few) == len(more) == 20
    assert len(set(few) & set(more)) >= 10


def test_items_that_are_over_are_not_scored():
    world = World()
    world.item("gone", creator_id="c", expires_time_ms=NOW_MS - 1)
    world.item("there", creator_id="c")
    assert sampled_items(world.items, 9, NOW_MS).item_ids == ["there"]


def test_users_are_drawn_by_the_salt_whatever_their_order():
    users = [f"u{n}" for n in range(50)]
    drawn = sampled_users(b"salt", users, 5)
    assert drawn == sampled_users(b"salt", reversed(users), 5)
    assert drawn != sampled_users(b"pepper", users, 5)
    assert len(drawn) == 5

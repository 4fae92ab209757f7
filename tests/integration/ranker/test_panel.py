"""The panel over a real Redis and a real broker: whom it scores in each slice, and what it says of them."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic
from pydantic import SecretStr

from feature_store.online import RedisOnlineStore
from feature_store.schema.panel import PanelRows, decode_panel
from feature_store.schema.served import encode_served
from feature_store.schema.topics import RANK_SERVED, SCORE_PANEL
from feature_store.topic_log import log_bounds, log_reader, read_log
from ranker.experiments.nudge import Nudges
from ranker.panel.log import KafkaPanelLog
from ranker.panel.panel import Panel, watched_columns
from ranker.panel.scoring import PanelScorer
from ranker.panel.settings import PanelSettings
from ranker.panel.users import PanelUsers, users_served
from tests.integration.producers import ordered_producer
from tests.unit.ranker.panel.sliced_world import DE, NL, OTHER, PROFILE, partition, profile, served
from tests.unit.ranker.panel.test_panel import EPOCH, EPOCH_MS, VALUE
from tests.unit.ranker.world import MODEL, PARTITIONS, SERVICE, World

pytestmark = pytest.mark.integration

COUNTRIES = {f"u{n}": ("NL", "DE", "FR", None)[n % 4] for n in range(24)}
SLICE_OF = {"NL": NL, "DE": DE, "FR": OTHER, None: OTHER}
SALT = b"salt"


@pytest.fixture
def settings(kafka: str, redis_url: str, tmp_path: Path) -> Iterator[PanelSettings]:
    admin = AdminClient({"bootstrap.servers": kafka})
    names = [RANK_SERVED, SCORE_PANEL]
    for made in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in names]).values():
        made.result()
    yield PanelSettings(
        kafka_bootstrap=kafka,
        redis_url=SecretStr(redis_url),
        home=tmp_path,
        slice_by="country",
        slice_values="NL,DE",
        panel_users=3,
    )
    for gone in admin.delete_topics(names).values():
        gone.result()


def panel_of(world: World, settings: PanelSettings) -> Panel:
    watched = watched_columns(SERVICE.candidate, world.hydrator, world.items, world.clock)
    return Panel(
        world.items,
        world.hydrator,
        PanelScorer(world.client, VALUE, watched, 64, 100.0),
        Nudges(SALT, 0.1),
        KafkaPanelLog(settings),
        world.clock,
        features=watched.names,
        epoch_ms=EPOCH_MS,
        items_max=100,
        nudges_on=lambda: True,
        slices=settings.slices,
    )


def published(settings: PanelSettings) -> list[PanelRows]:
    with closing(log_reader(settings, "test-panel")) as consumer:
        messages = read_log(consumer, SCORE_PANEL, log_bounds(consumer, SCORE_PANEL))
        return [decode_panel(message.value()) for message in messages]


def scores(panel: list[PanelRows], user_slice: str) -> dict[str, float]:
    mine = [rows for rows in panel if rows.header.user_slice == user_slice]
    return {
        item: raw
        for rows in mine
        for item, raw in zip(rows.item_ids.to_pylist(), rows.raw_score.tolist(), strict=True)
    }


def test_users_are_told_apart_by_what_redis_keeps_and_each_slice_is_scored_by_its_own(
    settings: PanelSettings,
) -> None:
    world = World(store=RedisOnlineStore.connect(settings))
    items, producer = world.announce(12), ordered_producer(settings.kafka_bootstrap)
    for user, country in COUNTRIES.items():
        if country is not None:
            world.put(PROFILE, user, profile(country=country))
        for payload in encode_served([served(world, user, items)]):
            producer.produce(RANK_SERVED, payload, partition=partition(user))
    assert producer.flush(30) == 0

    known = users_served(settings)
    assert known == {user: SLICE_OF[country] for user, country in COUNTRIES.items()}
    users = PanelUsers(settings.slices, lambda: known, SALT, settings.panel_users).of_next_epoch()
    assert {name: len(drawn) for name, drawn in users.items()} == {NL: 3, DE: 3, OTHER: 3}

    panel = panel_of(world, settings)
    assert panel.publish(panel.read(EPOCH, users), MODEL) == len(items)
    found = published(settings)
    assert {rows.header.slices for rows in found} == {settings.slices}
    for name, drawn in users.items():
        raw = {user: alone(world, user, items) for user in drawn}
        expected = {item: sum(raw[user][item] for user in drawn) / len(drawn) for item in items}
        assert scores(found, name) == pytest.approx(expected)


def alone(world: World, user: str, items: list[str]) -> dict[str, float]:
    """What a ranking would give one user."""
    request = served(world, user, items)
    return dict(zip(request.item_ids, request.raw_score.tolist(), strict=True))

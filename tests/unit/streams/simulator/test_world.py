import numpy as np

from feature_store.schema.events import Refusal, encode_event, parse_event
from streams.simulator import World

NOW_MS = 1_700_000_000_000


def test_the_same_seed_makes_the_same_world() -> None:
    one, other = World(3, users=20, items=30), World(3, users=20, items=30)
    assert np.array_equal(one.click_logit, other.click_logit)
    assert list(one.item_events(NOW_MS)) == list(other.item_events(NOW_MS))
    assert not np.array_equal(one.click_logit, World(4, users=20, items=30).click_logit)


def test_item_events_are_valid_and_titles_differ() -> None:
    events = list(World(1).item_events(NOW_MS))
    assert not [event for event in map(parse_event, map(encode_event, events)) if isinstance(event, Refusal)]
    assert len({event.attributes["title"] for event in events}) == len(events)
    assert all(event.attributes["genres"] for event in events)


def test_users_differ_so_much_that_personal_ranking_pays() -> None:
    world = World(5)
    click = 1 / (1 + np.exp(-world.click_logit))
    best_for_all = np.argsort(-(world.activity @ click))[:10]
    best_for_each = np.sort(click, axis=1)[:, -10:]
    assert best_for_each.mean() > 1.5 * click[:, best_for_all].mean()


def test_a_user_clicks_more_on_what_they_love() -> None:
    world = World(6)
    for user in range(0, 400, 40):
        loved = [bool({*world.genres(item)} & {*world.loved_genres(user)}) for item in range(600)]
        logit = world.click_logit[user]
        assert logit[loved].mean() > logit[np.logical_not(loved)].mean() + 1


def test_the_outsider_comes_often_and_shares_few_tastes() -> None:
    world = World(8)
    click = 1 / (1 + np.exp(-world.click_logit))
    popular = np.argsort(-(world.activity @ click))[:50]
    shares = [
        np.mean([bool({*world.genres(item)} & {*world.loved_genres(user)}) for item in popular])
        for user in range(len(world.user_ids))
    ]
    assert shares[world.outsider] < np.median(shares)
    assert world.activity[world.outsider] >= np.median(world.activity)

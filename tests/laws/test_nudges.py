"""What nudges obey: they move what is published, and nothing else knows of them."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ranker.experiments.coins import signs
from ranker.experiments.nudge import Nudges
from ranker.pipeline.arms import Arms
from ranker.side_effects.answer import Answer
from ranker.side_effects.served import served_request
from tests.unit.ranker.world import NOW_MS, SERVICE, World

DELTA = 0.25
epochs = st.integers(0, 2**40)


def ranked(world, epoch):
    query = replace(world.query([*world.announce(12), "stranger"], limit=5), arms=Arms(nudge_epoch=epoch))
    return query, world.pipeline().rank(query)


@settings(max_examples=10, deadline=None)
@given(epochs)
def test_raw_scores_heads_and_features_do_not_know_of_nudges(epoch):
    plain, world = World(), World(nudger=Nudges(b"salt", DELTA))
    _, without = ranked(plain, epoch)
    _, nudged = ranked(world, epoch)
    assert np.array_equal(nudged.scores.raw, without.scores.raw)
    assert np.array_equal(nudged.features.candidates, without.features.candidates)
    assert all(np.array_equal(nudged.scores.heads[head], without.scores.heads[head]) for head in ("click",))
    assert np.array_equal(nudged.scores.published, nudged.scores.raw + nudged.scores.nudge)
    assert not without.scores.nudge.any()


@settings(max_examples=10, deadline=None)
@given(epochs)
def test_every_candidate_has_its_nudge_in_rank_served_shown_or_not(epoch):
    query, outcome = ranked(World(nudger=Nudges(b"salt", DELTA)), epoch)
    rows = served_request(Answer(query, outcome, b"", NOW_MS, SERVICE.fingerprint))
    assert len(rows.item_ids) == len(rows.nudge) == 13
    assert np.array_equal(rows.nudge, DELTA * signs(b"salt", epoch, rows.item_ids))
    assert np.array_equal(rows.published_score, rows.raw_score + rows.nudge)


@given(epochs, st.lists(st.text("abcdef", min_size=1), min_size=1, unique=True))
def test_a_sign_depends_on_item_epoch_and_salt_alone(epoch, items):
    nudges = Nudges(b"salt", DELTA)
    one_by_one = [nudges.of_items(epoch, [item])[0] for item in reversed(items)]
    assert np.array_equal(nudges.of_items(epoch, items), one_by_one[::-1])
    assert set(np.abs(one_by_one)) == {DELTA}


def test_signs_are_fair_and_know_neither_the_epoch_before_nor_another_salt():
    """Six standard deviations of 200 000 fair coins; salts are fixed, so it cannot flake."""
    items = [f"i{n}" for n in range(2_000)]
    tossed = np.array([signs(b"salt", epoch, items) for epoch in range(100)], np.float64)
    other = np.array([signs(b"pepper", epoch, items) for epoch in range(100)], np.float64)
    for product in (tossed, tossed[1:] * tossed[:-1], tossed * other, tossed[:, 1:] * tossed[:, :-1]):
        assert abs(product.mean()) < 6 / np.sqrt(product.size)


def test_the_memory_of_signs_grows_with_the_catalogue_and_never_changes_one():
    world = World(nudger=Nudges(b"salt", DELTA))
    _, few = ranked(world, 7)
    world.announce(400)
    query = replace(world.query([f"i{n}" for n in range(400)]), arms=Arms(nudge_epoch=7))
    many = world.pipeline().rank(query)
    assert np.array_equal(many.scores.nudge, DELTA * signs(b"salt", 7, many.batch.item_ids))
    assert np.array_equal(few.scores.nudge, DELTA * signs(b"salt", 7, few.batch.item_ids))


def test_an_answer_in_input_order_is_not_nudged():
    world = World(nudger=Nudges(b"salt", DELTA))
    world.scorers = ()
    _, outcome = ranked(world, 7)
    assert not outcome.scores.nudge.any()
    assert outcome.slate.order.tolist() == [0, 1, 2, 3, 4]

"""Worlds: deterministic by seed, with a truth that can be checked."""

from dataclasses import fields

import numpy as np
import pytest

from streams.loopbench.cost import engagement_cost
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.quality import Quality
from streams.loopbench.parts.score_noise import ScoreNoise
from streams.loopbench.samplers import TOP_SHARE, Softmax, TopK
from streams.loopbench.world import Scale, World
from streams.loopbench.worlds.catalogue import LOOP_FREE, LOOPED, WORLDS


def _columns(cells):
    named = ((field.name, getattr(cells, field.name)) for field in fields(cells))
    return {name: value for name, value in named if isinstance(value, np.ndarray)}


@pytest.mark.parametrize("name", WORLDS)
def test_a_seed_gives_the_same_bits_alone_and_beside_others(name):
    alone, beside = WORLDS[name].world([7]), WORLDS[name].world([3, 7])
    for _ in range(2):
        own, shared = _columns(alone.step()), _columns(beside.step())
        for column, values in own.items():
            np.testing.assert_array_equal(values[0], shared[column][1], column)


def test_there_are_nine_worlds_without_a_loop_and_at_least_twelve_with_one():
    assert len(LOOP_FREE) == 9
    assert len(LOOPED) >= 12
    assert all(spec.loop for spec in LOOPED) and not any(spec.loop for spec in LOOP_FREE)


@pytest.mark.parametrize("spec", LOOP_FREE, ids=lambda spec: spec.name)
def test_without_a_loop_the_opposite_nudges_change_no_score(spec):
    world = spec.world([1])
    for _ in range(3):
        world.step()
    assert not world.truth.over_items.any()


def _next_raw_scores(delta_sign):
    """Mean raw score after one epoch of nudges, of items nudged by their slot's parity."""
    world = World([ClickCount(0.5), Quality(), ScoreNoise(0.0)], Softmax(), Scale(delta=0.2), list(range(30)))
    signs = delta_sign * np.where(np.arange(1000) % 2, 1.0, -1.0)
    world.noise.signs = lambda: np.broadcast_to(signs, world.noise.shape)
    world.step()
    return world.step().raw_score, signs


def test_the_true_beta_is_what_two_separate_worlds_differ_by():
    """The same worlds played twice, with all nudges the other way, against what the twin says."""
    (there, signs), (back, _) = _next_raw_scores(1.0), _next_raw_scores(-1.0)
    measured = ((there - back) * signs).mean() / (2 * 0.2)
    world = World([ClickCount(0.5), Quality(), ScoreNoise(0.0)], Softmax(), Scale(delta=0.2), list(range(30)))
    world.step()
    assert world.truth.over_items.mean() == pytest.approx(measured, rel=0.1)


def test_clicks_never_exceed_exposures_and_exposures_sum_to_the_events():
    for name in ("position_bias", "click_count", "five_percent_of_users", "outage_and_late_events"):
        cells = WORLDS[name].world([2]).step()
        assert (cells.clicks <= cells.exposures).all()
        expected = WORLDS[name].scale.events
        assert cells.exposures.sum(axis=-1) == pytest.approx(expected, abs=6 * np.sqrt(expected))


def test_a_sampler_never_puts_a_lower_score_first_even_when_all_are_negative():
    scores = np.array([[-5.0, -1.0, -3.0, -0.5]])
    for sampler in (Softmax(), TopK()):
        assert sampler.shares(scores)[0].argsort().tolist() == scores[0].argsort().tolist()


def test_a_sampler_that_normalises_raw_scores_puts_the_worst_first():
    """The naive sampler of the trap: with negative scores its order is turned round."""
    scores = np.array([-5.0, -1.0, -3.0, -0.5])
    assert (scores / scores.sum()).argmax() == scores.argmin()


def test_top_k_shows_the_share_that_it_promises():
    published = np.random.default_rng(1).normal(0, 0.7, (3, 2000))
    threshold = TopK._threshold(published)
    users = published + 0.5 * np.random.default_rng(2).standard_normal((200, 3, 2000))
    assert (users > threshold).mean() == pytest.approx(TOP_SHARE, abs=0.002)


@pytest.mark.parametrize(("world", "most"), [("click_count", 0.001), ("click_count_above_budget", 0.0025)])
def test_small_nudges_cost_what_is_promised(world, most):
    spec = WORLDS[world]
    assert 0 < engagement_cost(spec.sampler, spec.scale.delta) <= most


def test_nudges_cost_nothing_where_items_are_drawn():
    assert engagement_cost(Softmax(), 0.2) == 0.0

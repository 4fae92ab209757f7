"""Branches of a world: they change nothing of it, and tell what nudges do later."""

import numpy as np
import pytest

from streams.loopbench.echo import Echo
from streams.loopbench.parts.click_count import ClickCount
from streams.loopbench.parts.quality import Quality
from streams.loopbench.samplers import Softmax
from streams.loopbench.world import Scale, World
from streams.loopbench.worlds.catalogue import WORLDS

SEEDS = range(10)


def _listened(world, lags, epochs=2):
    echo = Echo(world.noise.shape, lags)
    for _ in range(epochs):
        echo.listen(world)
        world.step()
    return echo


@pytest.mark.parametrize(
    "name", ["stationary", "season", "viral_shock", "catalogue_churn", "manual_overrides"]
)
def test_without_a_loop_no_epoch_ever_differs(name):
    echo = _listened(WORLDS[name].world([1]), 3)
    assert not echo.gain().any()


def test_a_world_is_the_same_whether_it_is_listened_to_or_not():
    alone, beside = WORLDS["lag_1"].world([7]), WORLDS["lag_1"].world([7])
    _listened(beside, 3)
    alone.step()
    alone.step()
    np.testing.assert_array_equal(alone.step().raw_score, beside.step().raw_score)


def test_after_one_epoch_it_is_what_the_twin_world_says():
    world = WORLDS["lag_1"].world(SEEDS)
    echo = _listened(world, 1, epochs=6)
    assert echo.at(1).over_items.mean() == pytest.approx(world.truth.over_items.mean(), rel=0.03)


@pytest.mark.parametrize("lag", [3, 10])
def test_a_late_answer_comes_when_it_must(lag):
    echo = _listened(WORLDS[f"lag_{lag}"].world(SEEDS), lag)
    for earlier in range(1, lag):
        assert not echo.at(earlier).over_items.any()
    assert echo.at(lag).over_exposure.mean() > 0.02


def test_the_sum_over_epochs_is_what_a_nudge_that_stays_does_in_the_end():
    def world(seeds):
        return World([ClickCount(0.07, memory=0.7), Quality()], Softmax(), Scale(delta=0.2), seeds)

    steady = world(range(100, 106))
    signs = steady.noise.signs()
    steady.noise.signs = lambda: signs
    late = [steady.step().contributions[:, :, 0] for _ in range(24)][12:]
    sustained = (np.mean(late, axis=0) * signs).mean() / 0.2
    assert _listened(world(SEEDS), 15).gain().mean() == pytest.approx(sustained, rel=0.1)

"""Baselines: each sees what it is made for, and the passive ones see it without a loop, too."""

import numpy as np
import pytest

from streams.feedback.cells import EpochCells
from streams.loopbench.alarms import Contender
from streams.loopbench.baselines import all_baselines
from streams.loopbench.baselines.checkerboard import Checkerboard
from streams.loopbench.baselines.gini_trend import GiniTrend
from streams.loopbench.baselines.plotted import Plotted, gini_of
from streams.loopbench.baselines.population_stability import PopulationStability
from streams.loopbench.baselines.regression import NoiseRegression
from streams.loopbench.baselines.river_drift import adwin, kswin, page_hinkley
from streams.loopbench.worlds.catalogue import WORLDS

RUNS, ITEMS = 3, 200


def cells(epoch: int, score: np.ndarray, nudge: np.ndarray, exposures: np.ndarray) -> EpochCells:
    none = np.zeros(score.shape, np.bool_)
    return EpochCells(
        epoch=epoch,
        version="1",
        present=~none,
        fresh=none,
        raw_score=score,
        contributions=score[..., None, :],
        nudge=nudge,
        exposures=exposures,
        clicks=np.zeros(score.shape),
    )


def played(
    contender: Contender, *, gain: float = 0.0, sharpening: float = 0.0, epochs: int = 40
) -> np.ndarray:
    """Whether it ever alarmed where scores answer to nudges, or exposure concentrates by itself."""
    rng = np.random.default_rng(1)
    quality = rng.normal(size=(RUNS, 1, ITEMS))
    answer, ever = np.zeros(quality.shape), np.zeros(RUNS, np.bool_)
    for epoch in range(epochs):
        nudge = 0.2 * rng.choice([-1.0, 1.0], quality.shape)
        score = quality + answer + 0.01 * rng.normal(size=quality.shape)
        weight = np.exp((1.0 + sharpening * max(0, epoch - 12)) * quality)
        exposures = rng.poisson(20_000 * weight / weight.sum(axis=-1, keepdims=True)).astype(float)
        contender.update(cells(epoch, score, nudge, exposures))
        ever |= contender.alarmed()
        answer = gain * nudge
    return ever


@pytest.mark.parametrize("make", [GiniTrend, page_hinkley, kswin, adwin])
def test_passive_monitors_see_exposure_concentrate_without_any_loop(make: type) -> None:
    assert played(Plotted(make(), gini_of), sharpening=0.1).all()


def test_psi_sees_scores_shift_without_any_loop() -> None:
    assert played(PopulationStability(), sharpening=0.1).all()
    assert not played(PopulationStability()).any()


@pytest.mark.parametrize("make", [NoiseRegression, Checkerboard])
def test_those_that_use_the_nudge_see_a_loop(make: type) -> None:
    assert played(make(), gain=0.2).all()


def test_a_loop_that_moves_no_concentration_is_not_seen_by_passive_monitors() -> None:
    for monitor in (GiniTrend(), page_hinkley()):
        assert not played(Plotted(monitor, gini_of), gain=0.2, epochs=12).any()
    assert not played(PopulationStability(), gain=0.2, epochs=12).any()


def test_looked_at_in_every_epoch_the_checkerboard_alarms_without_a_loop() -> None:
    """Trap: p-values that are looked at again and again."""
    contender, world = Checkerboard(), WORLDS["stationary"].world(range(60))
    ever = np.zeros(60, np.bool_)
    for _ in range(40):
        contender.update(world.step())
        ever |= contender.alarmed()
    assert ever.sum() >= 6  # 3 would be what its level says


def test_the_slope_is_that_of_least_squares() -> None:
    rng = np.random.default_rng(2)
    nudge, score = rng.normal(size=(1, 1, 50)), rng.normal(size=(2, 1, 1, 50))
    contender = NoiseRegression()
    for epoch in range(2):
        contender.update(cells(epoch, score[epoch], nudge, np.zeros((1, 1, 50))))
    change = (score[1] - score[0]).ravel()
    slope, intercept = np.polyfit(nudge.ravel(), change, 1)
    residual = change - slope * nudge.ravel() - intercept
    error = np.sqrt((residual @ residual) / 48 / ((nudge - nudge.mean()) ** 2).sum())
    assert bool(contender.alarmed()[0]) == bool(abs(slope / error) > 2.576)


def test_all_of_them_play_every_kind_of_world() -> None:
    for name in ("common_shock", "five_percent_of_users"):
        spec = WORLDS[name]
        world, contenders = spec.world([1, 2]), all_baselines()
        assert len({each.name for each in contenders}) == len(contenders) == 7
        for _ in range(3):
            observed = world.step()
            for contender in contenders:
                contender.update(observed)
                assert contender.alarmed().shape == (2,)

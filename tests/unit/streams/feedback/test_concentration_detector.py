"""D4: production thinned, beside a holdout with live inputs; what happens to those who do neither."""

from dataclasses import replace

import numpy as np
import pytest

from streams.feedback.base import VerdictKind
from streams.feedback.concentration import ArmCells, ConcentrationDetector, ConcentrationGrowth
from streams.feedback.concentration_measures import gini
from streams.loopbench.worlds.popularity_arms import ArmsScale, ArmsWorld

RUNS = 20
EPOCHS = 60
DRIFTING = ArmsScale(items=300, events=10_000, loop=0.0, gain=0.5, reversion=0.0)


def played(scale: ArmsScale) -> list[ArmCells]:
    world = ArmsWorld(scale, range(RUNS))
    return [world.step() for _ in range(EPOCHS)]


def tickets(epochs: list[ArmCells]) -> int:
    detector = ConcentrationDetector(1, half=30, runs=(RUNS,))
    for cells in epochs:
        detector.update(cells)
    return int((detector.kinds() == VerdictKind.WARNING).sum())


def test_a_loop_through_counts_concentrates_and_a_useful_rate_does_not() -> None:
    assert tickets(played(ArmsScale(items=300, events=10_000))) >= 15
    assert tickets(played(DRIFTING)) == 0


def test_a_holdout_that_is_frozen_drifts_away_by_itself() -> None:
    """Trap: the twin must see live inputs."""
    assert tickets(played(replace(DRIFTING, frozen_holdout=True))) >= 15
    assert tickets(played(DRIFTING)) == 0


def test_arms_of_different_sizes_are_compared_only_after_thinning() -> None:
    """Trap: traffic grows in production and not in the holdout, and sparse counts look unequal."""
    rng = np.random.default_rng(0)
    chances = np.arange(1, 301) / np.arange(1, 301).sum()
    epochs = [
        ArmCells(
            epoch,
            rng.multinomial(40_000 // (1 + epoch), chances, size=RUNS),
            rng.multinomial(500, chances, size=RUNS),
        )
        for epoch in range(EPOCHS)
    ]
    naive = ConcentrationGrowth(30, (RUNS,))
    for cells in epochs:
        naive.observe(gini(cells.production) - gini(cells.holdout))
    assert (naive.log_evidence() >= np.log(100)).sum() >= 15
    assert tickets(epochs) == 0


def test_without_a_holdout_it_is_blind_and_says_so() -> None:
    detector = ConcentrationDetector(1)
    for epoch in range(3):
        detector.update(ArmCells(epoch, np.array([5, 6]), np.array([0, 0])))
    verdict = detector.verdict(9)
    assert verdict.kind is VerdictKind.BLIND
    assert "without a holdout" in verdict.reason


def test_arms_of_other_items_are_refused() -> None:
    with pytest.raises(ValueError, match="holdout: shape"):
        ArmCells(0, np.zeros(3, np.int64), np.zeros(2, np.int64))

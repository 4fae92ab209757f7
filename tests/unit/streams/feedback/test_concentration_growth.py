"""D4's bets: on growth only, at a scale known before, not on what both arms share."""

import numpy as np
import pytest

from streams.feedback.concentration import ConcentrationGrowth


def evidence(gaps: np.ndarray, half: int = 20) -> np.ndarray:
    growth = ConcentrationGrowth(half, gaps.shape[1:])
    for gap in gaps:
        growth.observe(gap)
    return growth.log_evidence()


def test_a_growing_gap_is_evidence_and_a_shrinking_one_is_not() -> None:
    noise = np.random.default_rng(0).normal(0, 0.01, 60)
    rising = np.linspace(0, 0.2, 60) + noise
    assert evidence(rising, 30) > np.log(100)
    assert evidence(-rising, 30) < 0


def test_a_constant_gap_is_no_growth() -> None:
    gaps = 0.3 + np.random.default_rng(1).normal(0, 0.01, (400, 500))
    assert (evidence(gaps) >= np.log(100)).sum() <= 11  # upper 1 % quantile of 5 of 500


def test_gaps_without_any_spread_are_no_bet() -> None:
    assert evidence(np.full(80, 0.25)) == 0


def test_a_half_that_gives_no_scale_is_refused() -> None:
    with pytest.raises(ValueError, match="half: 1 is below 2"):
        ConcentrationGrowth(1)

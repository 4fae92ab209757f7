"""Concentration of exposure: known values, the bias of sparse counts, evidence against uniform exposure."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from streams.feedback.concentration_measures import (
    gini,
    normalised_entropy,
    thin,
    top_share,
)
from streams.feedback.evidence.uniformity import log_evidence_against_uniform

counts_of_items = hnp.arrays(np.int64, st.integers(2, 30), elements=st.integers(0, 1000)).filter(np.any)


def naive_gini(counts: np.ndarray) -> float:
    """Mean absolute difference over twice the mean."""
    return float(np.abs(np.subtract.outer(counts, counts)).mean() / (2 * counts.mean()))


@given(counts_of_items)
def test_gini_is_the_mean_absolute_difference_over_twice_the_mean(counts: np.ndarray) -> None:
    assert gini(counts) == pytest.approx(naive_gini(counts), abs=1e-12)


def test_one_item_takes_all() -> None:
    counts = np.array([0, 0, 0, 50])
    assert (gini(counts), normalised_entropy(counts), top_share(counts)) == (0.75, 0.0, 1.0)


def test_equal_counts_are_not_concentrated_and_no_counts_give_no_nan() -> None:
    both = np.array([[7, 7, 7, 7], [0, 0, 0, 0]])
    np.testing.assert_allclose(gini(both), [0, 0], atol=1e-15)
    np.testing.assert_allclose(normalised_entropy(both), [1, 0], atol=1e-15)


@given(counts_of_items, st.integers(1, 500), st.integers(0, 2**32))
def test_thinning_keeps_a_sample_of_the_size_asked_for(counts: np.ndarray, size: int, seed: int) -> None:
    kept = thin(counts, size, np.random.default_rng(seed))
    assert kept.sum() == min(size, counts.sum())
    assert (kept <= counts).all()


def test_a_small_sample_looks_concentrated_unless_both_are_thinned() -> None:
    """Trap: production compared with a holdout that is a twentieth of it, both of uniform exposure."""
    rng = np.random.default_rng(0)
    production = rng.multinomial(100_000, np.full(500, 1 / 500), size=200)
    holdout = rng.multinomial(5_000, np.full(500, 1 / 500), size=200)
    unthinned = gini(production) - gini(holdout)
    assert (unthinned < -0.05).all()
    thinned = np.array([gini(thin(counts, 5_000, rng)) for counts in production]) - gini(holdout)
    assert abs(thinned.mean()) < 4 * thinned.std() / np.sqrt(200)


def test_evidence_against_uniform_exposure_is_a_martingale_under_it() -> None:
    """Its mean under uniform exposure is 1: checked by enumeration over all outcomes."""
    expected = sum(
        np.exp(log_evidence_against_uniform(np.bincount([a, b, c], minlength=3)))
        for a in range(3)
        for b in range(3)
        for c in range(3)
    )
    assert expected / 27 == pytest.approx(1.0)


def test_evidence_separates_a_skewed_policy_and_never_claims_of_a_uniform_one() -> None:
    rng = np.random.default_rng(1)
    uniform = rng.multinomial(5_000, np.full(34, 1 / 34), size=300)
    assert max(log_evidence_against_uniform(counts) for counts in uniform) < np.log(1000)
    skewed = rng.multinomial(5_000, np.arange(1, 35) / 595)
    assert log_evidence_against_uniform(skewed) > np.log(1000)

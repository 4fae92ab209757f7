"""Bets on signs: fair against coins, and rich against anything else."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from streams.feedback.evidence.betting import BET_SHARES, BETS, BettingMixture, log_mean_exp

responses = arrays(np.float64, st.integers(1, 7), elements=st.floats(-1, 1))


def _evidence(outcomes):
    process = BettingMixture(outcomes.shape[:-1])
    process.update(outcomes)
    return process.log_evidence()


@given(responses)
def test_over_all_signs_that_coins_could_show_the_mean_of_w_is_exactly_one(magnitudes):
    every = np.array(list(product((-1.0, 1.0), repeat=len(magnitudes))))
    assert np.exp(_evidence(every * magnitudes)).mean() == pytest.approx(1.0, abs=1e-12)


@given(arrays(np.float64, (3, 40), elements=st.floats(-1, 1)), st.integers(0, 40))
def test_betting_in_two_parts_is_betting_at_once(outcomes, cut):
    process = BettingMixture((3,))
    process.update(outcomes[:, :cut])
    process.update(outcomes[:, cut:])
    np.testing.assert_allclose(process.log_evidence(), _evidence(outcomes), atol=1e-9)


@given(arrays(np.float64, 30, elements=st.floats(-1, 1)))
def test_it_is_the_weighted_mean_of_the_gamblers_products(outcomes):
    naive = np.average([np.prod(1 + stake * outcomes) for stake in BETS], weights=BET_SHARES)
    assert np.exp(_evidence(outcomes)) == pytest.approx(naive, rel=1e-9)


def test_shares_are_all_of_the_capital_and_favour_no_side():
    assert BET_SHARES.sum() == pytest.approx(1.0)
    np.testing.assert_array_equal(BET_SHARES, BET_SHARES[::-1])
    np.testing.assert_array_equal(BETS, -BETS[::-1])


def test_a_million_lost_bets_neither_overflow_nor_vanish():
    process = BettingMixture(())
    process.update(np.full(1_000_000, 1.0))
    assert process.log_evidence() == pytest.approx(1e6 * np.log(1.9) + np.log(BET_SHARES[-1]))


@pytest.mark.parametrize("wrong", [1.5, -1.01, np.nan, np.inf])
def test_an_outcome_that_is_no_bet_is_refused(wrong):
    with pytest.raises(ValueError, match="outcomes"):
        BettingMixture(()).update(np.array([0.1, wrong]))


def test_no_outcomes_change_nothing():
    process = BettingMixture((2,))
    process.update(np.zeros((2, 0)))
    assert process.log_evidence().tolist() == [0.0, 0.0]


def test_what_has_no_evidence_at_all_may_be_averaged_too():
    assert log_mean_exp(np.array([-np.inf, np.log(4.0)]), axis=-1) == pytest.approx(np.log(2.0))
    assert log_mean_exp(np.array([-np.inf, -np.inf]), axis=-1) == -np.inf

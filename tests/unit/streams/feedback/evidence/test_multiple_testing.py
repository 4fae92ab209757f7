"""e-BH and e-Holm against their definitions."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from streams.feedback.evidence.betting import BettingMixture
from streams.feedback.evidence.multiple_testing import e_bh, e_holm

e_values = st.lists(st.floats(0.001, 1e6), min_size=1, max_size=8)
levels = st.sampled_from([0.005, 0.01, 0.05, 0.5])


def _by_definition(e_values, level):
    k = len(e_values)
    falling = sorted(e_values, reverse=True)
    kept = max((i for i in range(1, k + 1) if i * falling[i - 1] >= k / level), default=0)
    return [kept > 0 and value >= falling[kept - 1] for value in e_values]


def _least_means(e_values):
    """Of each hypothesis, over all sets that contain it, the least of their mean e-values."""
    k = len(e_values)
    sets = [chosen for size in range(1, k + 1) for chosen in combinations(range(k), size)]
    means = {chosen: sum(Fraction(e_values[i]) for i in chosen) / len(chosen) for chosen in sets}
    return [min(mean for chosen, mean in means.items() if i in chosen) for i in range(k)]


@given(e_values, st.sampled_from([0.01, 0.05, 0.5]))
def test_e_bh_keeps_what_the_definition_keeps(e_values, level):
    assert e_bh(np.log(e_values), level).tolist() == _by_definition(np.exp(np.log(e_values)).tolist(), level)


@given(st.lists(st.integers(0, 8) | st.integers(0, 1000), min_size=1, max_size=7), levels)
def test_e_holm_keeps_what_every_set_that_contains_it_would_reject(halves, level):
    """E-values in halves of 1 / ``level``, around which sets are rejected or not."""
    e_values = [half / 2 / level for half in halves]
    least = np.array(_least_means(e_values), np.float64)
    assume((np.abs(least * level - 1.0) > 1e-9).all())
    with np.errstate(divide="ignore"):
        logs = np.log(e_values)
    assert e_holm(logs, level).tolist() == (least >= 1 / level).tolist()


@given(e_values, levels, st.data())
def test_e_holm_keeps_what_it_kept_when_there_is_more_evidence(e_values, level, data):
    more = data.draw(st.lists(st.floats(0.0, 5.0), min_size=len(e_values), max_size=len(e_values)))
    before, after = e_holm(np.log(e_values), level), e_holm(np.log(e_values) + more, level)
    assert (after | ~before).all()


@given(e_values, levels)
def test_e_holm_believes_no_more_than_a_plain_threshold(e_values, level):
    assert (np.log(e_values) >= -np.log(level))[e_holm(np.log(e_values), level)].all()


@given(e_values, levels, st.randoms(use_true_random=False))
def test_e_holm_does_not_mind_the_order(e_values, level, random):
    order = random.sample(range(len(e_values)), len(e_values))
    logs = np.log(e_values)
    assert e_holm(logs[order], level).tolist() == e_holm(logs, level)[order].tolist()


def test_e_holm_treats_every_run_by_itself():
    logs = np.random.default_rng(1).normal(4.0, 3.0, (3, 5, 6))
    kept = e_holm(logs, 0.01)
    assert 0 < kept.sum() < kept.size
    assert kept.tolist() == [[e_holm(run, 0.01).tolist() for run in runs] for runs in logs]


def test_e_holm_bears_evidence_that_no_float_holds_and_none_at_all():
    logs = np.array([5000.0, -5000.0, -np.inf, 4000.0])
    assert e_holm(logs, 0.005).tolist() == [True, False, False, True]
    assert not e_holm(np.full(4, -np.inf), 0.005).any()


def test_e_holm_ever_believes_a_false_one_in_no_more_runs_than_its_level():
    """Six that are false, looked at after every 25 coins, beside 24 that are certain.

    e-BH at the same level bounds the share of false ones: many that are certain let it believe more of them.
    """
    level, runs, rng = 0.1, 400, np.random.default_rng(7)
    process, certain = BettingMixture((runs, 6)), np.full((runs, 24), np.log(1e9))
    holm, bh = np.zeros(runs, np.bool_), np.zeros(runs, np.bool_)
    for _ in range(40):
        process.update(rng.choice([-1.0, 1.0], (runs, 6, 25)))
        logs = np.concatenate([certain, process.log_evidence()], axis=-1)
        holm |= e_holm(logs, level)[:, 24:].any(axis=-1)
        bh |= e_bh(logs, level)[:, 24:].any(axis=-1)
    assert 0 < holm.mean() <= level < bh.mean()


@pytest.mark.parametrize("tests", [e_bh, e_holm])
@pytest.mark.parametrize("level", [0.0, 1.0, -0.1])
def test_a_level_that_is_none_is_refused(tests, level):
    with pytest.raises(ValueError, match="level"):
        tests(np.zeros(3), level)

"""What exploration obeys: propensities are those of the draw itself, whatever the slate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from feature_store.clock import ManualClock
from ranker.experiments.draw import Experiments
from ranker.experiments.settings import ExperimentSettings
from ranker.pipeline.arms import Exploration
from ranker.selectors.exploring import explored, propensities

sizes = st.tuples(st.integers(1, 7), st.integers(1, 7), st.integers(1, 9), st.floats(0.01, 0.9))


def every_slate(base, n, share, positions):
    """(probability, slate) of each outcome of the draw."""
    yield 1 - share, base, None
    for slot in range(positions):
        pool = max(n - slot, 1)
        for drawn in range(pool):
            exploration = Exploration(share, positions, slot, (drawn + 0.5) / pool)
            yield share / positions / pool, explored(base, n, exploration), exploration


def enumerated(base, n, share, positions):
    """(s, n) probability of each item at each position, by enumeration."""
    probability = np.zeros((len(base), n))
    for weight, slate, _ in every_slate(base, n, share, positions):
        probability[np.arange(len(base)), slate] += weight
    return probability


@settings(max_examples=40, deadline=None)
@given(sizes, st.randoms(use_true_random=False))
def test_propensities_equal_those_of_all_draws_enumerated(size, chance):
    n, limit, positions, share = size
    base = np.array(chance.sample(range(n), min(n, limit)))
    expected = enumerated(base, n, share, positions)
    assert np.allclose(expected.sum(axis=1), 1.0)
    for _, slate, exploration in every_slate(base, n, share, positions):
        shown = propensities(base, slate, n, exploration or Exploration(share, positions, None, 0.0))
        assert np.allclose(shown, expected[np.arange(len(base)), slate], rtol=1e-12)
        assert ((shown > 0) & (shown <= 1 + 1e-12)).all()


@settings(max_examples=40, deadline=None)
@given(sizes, st.randoms(use_true_random=False))
def test_the_ips_estimate_of_a_constant_reward_is_that_reward_for_any_target_policy(size, chance):
    n, limit, positions, share = size
    base = np.array(chance.sample(range(n), min(n, limit)))
    possible = enumerated(base, n, share, positions) > 0
    target = possible * np.array([[chance.random() + 0.01 for _ in range(n)] for _ in base])
    target /= target.sum(axis=1, keepdims=True)
    places = np.arange(len(base))
    estimate = sum(
        weight * target[places, slate] / propensities(base, slate, n, exploration or NONE(share, positions))
        for weight, slate, exploration in every_slate(base, n, share, positions)
    )
    assert np.allclose(estimate, 1.0, rtol=1e-9)


def NONE(share, positions):
    return Exploration(share, positions, None, 0.0)


@settings(max_examples=40, deadline=None)
@given(sizes, st.randoms(use_true_random=False), st.floats(0, 1, exclude_max=True))
def test_every_slate_holds_distinct_candidates(size, chance, draw):
    n, limit, positions, share = size
    base = np.array(chance.sample(range(n), min(n, limit)))
    for slot in range(positions):
        shown = explored(base, n, Exploration(share, positions, slot, draw))
        assert len(shown) == len(base) == len(set(shown.tolist()))
        assert set(shown.tolist()) <= set(range(n))


@pytest.mark.parametrize(("n", "limit"), [(6, 4), (4, 4), (9, 3)])
def test_what_is_drawn_by_hmac_is_distributed_as_the_propensities_say(n, limit):
    """Pearson's χ² over (position, item) at level 10⁻⁶; salts are fixed, so it cannot flake."""
    salt = ExperimentSettings(explore_share=0.5, explore_positions=3, explore_salt="spice")
    experiments = Experiments(salt, lambda: frozenset())
    clock, base, requests = ManualClock(), np.arange(limit), 8_000
    counts = np.zeros((limit, n))
    for number in range(requests):
        exploration = experiments.arms(f"r{number}", "u", "home", clock.now_ms()).exploration
        counts[np.arange(limit), explored(base, n, exploration)] += 1
    expected = enumerated(base, n, 0.5, 3) * requests
    for seen, due in zip(counts, expected, strict=True):
        possible = due > 0
        assert seen[~possible].sum() == 0
        statistic = ((seen - due)[possible] ** 2 / due[possible]).sum()
        assert statistic < chi2.isf(1e-6, possible.sum() - 1)

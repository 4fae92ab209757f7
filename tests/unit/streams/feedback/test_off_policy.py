"""Off-policy values: the published formulas, their intervals, and when they are refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feedback.off_policy import (
    MIN_EFFECTIVE_SAMPLE,
    PolicyValue,
    ValueRefused,
    difference,
    doubly_robust,
    effective_sample_size,
    ips,
    mean_reward,
    snips,
)

ITEMS = 8


def logged(seed: int, n: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Rewards, weights and items of a skewed policy's log, and the true value of uniform exposure."""
    rng = np.random.default_rng(seed)
    policy = np.arange(1, ITEMS + 1) / np.arange(1, ITEMS + 1).sum()
    chance = np.linspace(0.1, 0.5, ITEMS)
    item = rng.choice(ITEMS, n, p=policy)
    reward = (rng.random(n) < chance[item]).astype(float)
    return reward, 1 / ITEMS / policy[item], item, float(chance.mean())


def test_estimates_are_the_published_formulas() -> None:
    reward, weight, item, _ = logged(0)
    rows = np.arange(len(reward))
    q = np.linspace(0.2, 0.3, ITEMS)
    by_hand = sum(w * r for w, r in zip(weight, reward, strict=True)) / len(reward)
    assert ips(reward, weight, rows).value == pytest.approx(by_hand)
    assert snips(reward, weight, rows).value == pytest.approx(by_hand * len(reward) / weight.sum())
    expected = np.full(len(reward), q.mean())
    dr = doubly_robust(reward, weight, q[item], expected, rows)
    assert dr.value == pytest.approx(
        np.mean([q.mean() + w * (r - q[i]) for w, r, i in zip(weight, reward, item, strict=True)])
    )


def test_ips_of_a_constant_reward_is_that_constant_in_expectation_and_snips_is_exactly() -> None:
    weight = logged(1)[1]
    almost = np.ones(len(weight))
    almost[0] = 1 + 1e-9  # a spread of exactly 0 is refused
    assert snips(almost, weight, np.arange(len(weight))).value == pytest.approx(1.0)
    found = ips(almost, weight, np.arange(len(weight)))
    assert found.low < 1 < found.high


def estimate(estimator: str, reward: np.ndarray, weight: np.ndarray) -> PolicyValue:
    rows, guess = np.arange(len(reward)), np.full(len(reward), 0.3)
    if estimator == "dr":
        return doubly_robust(reward, weight, guess, guess, rows, confidence=0.95)
    return {"ips": ips, "snips": snips}[estimator](reward, weight, rows, confidence=0.95)


@pytest.mark.parametrize("estimator", ["ips", "snips", "dr"])
def test_intervals_cover_the_true_value(estimator: str) -> None:
    covered = 0
    for seed in range(300):
        reward, weight, _, truth = logged(seed, 2500)
        found = estimate(estimator, reward, weight)
        covered += found.low <= truth <= found.high
    # 95 % of 300 is 285; 273 is its lower 0.1 % quantile.
    assert covered >= 273


def test_dr_with_a_right_model_is_narrower_than_ips() -> None:
    reward, weight, item, truth = logged(2)
    q = np.linspace(0.1, 0.5, ITEMS)
    rows = np.arange(len(reward))
    dr = doubly_robust(reward, weight, q[item], np.full(len(reward), q.mean()), rows)
    assert dr.low <= truth <= dr.high
    assert dr.standard_error < ips(reward, weight, rows).standard_error


def test_a_value_is_refused_below_an_effective_sample_size_of_1000() -> None:
    reward = np.arange(5000.0) % 2
    weight = np.ones(5000)
    weight[:5] = 2000.0
    assert effective_sample_size(weight) < MIN_EFFECTIVE_SAMPLE
    for estimator in (ips, snips):
        with pytest.raises(ValueRefused, match="effective sample size 11 of 5000 rows is below 1000"):
            estimator(reward, weight, np.arange(5000))


@pytest.mark.parametrize("outcome", [0.0, 1.0])
def test_equal_rewards_give_no_interval_of_width_nought(outcome: float) -> None:
    with pytest.raises(ValueRefused, match="all 2000 rewards are"):
        mean_reward(np.full(2000, outcome), np.arange(2000))


def test_one_user_is_no_sample() -> None:
    with pytest.raises(ValueRefused, match="one cluster"):
        mean_reward(np.arange(2000.0) % 2, np.zeros(2000, dtype=np.intp))


def false_claims(seeds: int, *, clustered: bool) -> int:
    """How often two arms that differ in nothing but their users are said to differ, at 95 %."""
    claims = 0
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        user = np.repeat(np.arange(200), 20)
        chance = np.clip(0.1 * np.exp(rng.normal(0, 1, 400)), 0, 0.9).reshape(2, 200)
        arms = []
        for side in chance:
            reward = (rng.random(len(user)) < side[user]).astype(float)
            cluster = user if clustered else np.arange(len(user))
            arms.append(mean_reward(reward, cluster, confidence=0.95))
        _, low, high = difference(*arms)
        claims += low > 0 or high < 0
    return claims


def test_rows_of_one_user_are_no_independent_rows() -> None:
    """Trap: where users are assigned to arms, taking rows as independent claims far too often."""
    assert false_claims(400, clustered=False) > 60  # 20 expected at 95 %
    assert false_claims(400, clustered=True) <= 35  # upper 0.1 % quantile of 20


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50))
def test_effective_sample_size_is_between_one_and_the_rows(weights: list[float]) -> None:
    found = effective_sample_size(np.array(weights))
    assert 1 - 1e-9 <= found <= len(weights) * (1 + 1e-9)

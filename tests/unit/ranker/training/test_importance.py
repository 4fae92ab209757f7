"""What a policy seldom showed counts for what it never showed; equal propensities change nothing."""

from dataclasses import replace
from statistics import median

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ranker.training.fit import Parameters, fit
from ranker.training.importance import effective_rows, importance_weights
from ranker.training.loss import listwise_loss
from ranker.training.predict import predict
from ranker.training.rows import Float32, Rows, kept_columns, rows_of
from triton_models.signature import Signature

QUICK = Parameters(epochs=3, learning_rate=5e-3, weight_cap=10.0)

propensities = st.lists(st.one_of(st.just(float("nan")), st.floats(0.001, 1.0)), min_size=1, max_size=40)


def quiet(epoch: int, epochs: int, value: float | None) -> None:
    """Nobody watches."""


def naive_weights(propensity: list[float], cap: float) -> list[float]:
    inverse = [1 / p for p in propensity if p == p]
    most = cap * median(inverse) if inverse else 0.0
    mean = sum(min(one, most) for one in inverse) / max(1, len(inverse))
    return [min(1 / p, most) / mean if p == p else 1.0 for p in propensity]


@given(propensities, st.floats(1.0, 100.0))
def test_weights_equal_the_naive_ones(propensity: list[float], cap: float) -> None:
    exact = np.array(propensity, np.float32)
    found = importance_weights(exact, cap)
    assert found.dtype == np.float32
    assert found.tolist() == pytest.approx(naive_weights(exact.tolist(), cap), rel=1e-5)


@given(propensities, st.floats(1.0, 100.0))
def test_weights_are_one_on_average_and_no_row_is_worth_more_than_itself(
    propensity: list[float], cap: float
) -> None:
    weights = importance_weights(np.array(propensity, np.float32), cap)
    assert weights.mean() == pytest.approx(1.0, rel=1e-4)
    assert 1.0 <= effective_rows(weights) <= len(weights) * (1 + 1e-6)


def test_the_effective_number_of_rows_is_known_by_hand() -> None:
    assert effective_rows(np.ones(5)) == 5.0
    assert effective_rows(np.array([1.0, 1.0, 0.0, 0.0])) == 2.0
    assert effective_rows(np.array([3.0, 1.0])) == pytest.approx(16 / 10)


@pytest.mark.parametrize("propensity", [1.0, 1 / 24, float("nan")])
def test_equal_propensities_weigh_exactly_one(propensity: float) -> None:
    assert (importance_weights(np.full(7, propensity, np.float32), 10.0) == 1.0).all()


def test_the_weighted_listwise_loss_equals_the_naive_one() -> None:
    rng = np.random.default_rng(2)
    logits, weights = rng.normal(size=(3, 9)), rng.uniform(0.1, 5.0, 9)
    labels, request = rng.integers(0, 2, 9), np.array([0, 0, 0, 0, 1, 1, 2, 2, 2])
    losses = [
        weights[i] * -(member[i] - np.log(np.exp(member[request == request[i]]).sum())) / clicks
        for member in logits
        for i in np.flatnonzero(labels)
        if (clicks := labels[request == request[i]].sum())
    ]
    tensors = (torch.tensor(each, dtype=torch.float64) for each in (logits, labels))
    found = listwise_loss(*tensors, torch.from_numpy(request), torch.from_numpy(weights))
    assert found.item() == pytest.approx(sum(losses) / 9)


def with_propensity(rows: Rows, propensity: Float32 | float) -> Rows:
    return replace(rows, propensity=np.broadcast_to(np.float32(propensity), len(rows)).copy())


def test_equal_propensities_make_the_same_bits_as_none(rows: Rows) -> None:
    once = replace(QUICK, epochs=1)
    none, equal = (fit(with_propensity(rows, each), None, 2, once, quiet) for each in (float("nan"), 0.25))
    found, expected = equal.net.state_dict(), none.net.state_dict()
    assert all(torch.equal(found[name], expected[name]) for name in expected)
    assert none.effective_rows == equal.effective_rows == len(rows)


def test_what_is_learned_is_what_users_click_not_what_the_policy_showed(rows: Rows) -> None:
    """The policy showed nine times as often what users like, for reasons that no column tells."""
    liked = np.random.default_rng(4).random(len(rows)) < 0.9
    shown = replace(rows, labels={"click": np.where(liked, 1.0, 0.0).astype(np.float32)})
    logged = with_propensity(shown, np.where(liked, 0.9, 0.1).astype(np.float32))
    naive, weighed = (fit(each, None, 2, QUICK, quiet) for each in (shown, logged))
    assert predict(naive.net, shown, 2)["click"].mean() == pytest.approx(0.9, abs=0.05)
    assert predict(weighed.net, shown, 2)["click"].mean() == pytest.approx(0.5, abs=0.05)
    assert weighed.effective_rows < 0.5 * len(rows)


def test_the_impressions_own_propensity_goes_before_the_answers(
    exposures: pa.Table, signature: Signature
) -> None:
    n = len(exposures)
    seen = [0.5 if i % 3 == 0 else None for i in range(n)]
    answered = [0.25 if i % 3 < 2 else 7.0 for i in range(n)]
    table = exposures.append_column("propensity_seen", pa.array(seen, pa.float64()))
    table = table.append_column("propensity", pa.array(answered, pa.float64()))
    found = rows_of(kept_columns(table), signature).propensity
    assert np.unique(found[np.isfinite(found)]).tolist() == [0.25, 0.5]
    assert np.isnan(found).sum() == (np.arange(n) % 3 == 2).sum()


def test_exposures_without_propensities_have_none(rows: Rows) -> None:
    assert np.isnan(rows.propensity).all()

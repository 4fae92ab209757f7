"""Predictions that are off by an affine map of the logit come back; the error is what it says it is."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranker.training.calibration import affine, calibration_error, error_by_chance


@given(scale=st.floats(0.3, 3.0), shift=st.floats(-1.0, 1.0), seed=st.integers(0, 99))
def test_the_map_that_made_the_labels_is_found(scale: float, shift: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=20_000)
    labels = (rng.random(len(logits)) < 1 / (1 + np.exp(-(scale * logits + shift)))).astype(float)
    assert affine(logits, labels) == pytest.approx((scale, shift), abs=0.15)


def test_an_order_is_never_turned_around() -> None:
    logits = np.linspace(-3, 3, 1_000)
    assert affine(logits, (logits < 0).astype(float)) == (1.0, 0.0)


def test_labels_of_one_kind_give_finite_numbers() -> None:
    assert np.isfinite(affine(np.linspace(-1, 1, 100), np.zeros(100))).all()


def test_the_error_is_the_gap_between_what_was_said_and_what_happened() -> None:
    predicted = np.full(1_500, 0.3)
    happened = np.tile([1.0, 0.0], 750)
    assert calibration_error(predicted, happened) == pytest.approx(0.2, abs=0.01)


def test_chance_explains_more_where_there_are_fewer_rows() -> None:
    rng = np.random.default_rng(1)
    few, many = error_by_chance(rng.random(150)), error_by_chance(rng.random(15_000))
    assert few > 3 * many


def test_exact_predictions_stay_within_what_chance_explains() -> None:
    rng = np.random.default_rng(2)
    predicted = rng.random(5_000)
    happened = (rng.random(5_000) < predicted).astype(float)
    assert calibration_error(predicted, happened) <= error_by_chance(predicted)

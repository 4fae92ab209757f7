"""Responses: all of an effect is found in them, however few items there are."""

import numpy as np
import pytest

from streams.feedback.history import History
from streams.feedback.response import respond

RUNS, EFFECT = 4000, 0.2


def _responses(items):
    """Signs, and how walks of ``items`` answer to them by ``EFFECT``, over runs."""
    rng = np.random.default_rng(5)
    history, values = History((RUNS, 1, items)), np.zeros((RUNS, 1, items))
    for _ in range(6):
        values = values + rng.standard_normal(values.shape)
        history.advance(values, np.zeros(values.shape, np.bool_))
    signs = rng.choice([-1.0, 1.0], values.shape)
    usable = np.ones((RUNS, items), np.bool_)
    after = values + EFFECT * signs + rng.standard_normal(values.shape)
    return signs, respond(history, after, usable, values[:, 0])


@pytest.mark.parametrize("items", [100, 200])
def test_what_a_coin_added_is_found_in_full(items):
    signs, response = _responses(items)
    assert (signs * response.surprise).mean() == pytest.approx(EFFECT, rel=0.05)


def test_residuals_as_they_are_would_lose_what_values_predict_of_themselves():
    """Six predictors, and a median in each of ten strata, of a hundred items: an eighth of the effect."""
    signs, response = _responses(100)
    as_they_are = response.surprise * (1 - 6 / 100) * (1 - 1 / 10)
    assert (signs * as_they_are).mean() < 0.9 * EFFECT


def test_as_many_items_as_predictors_leave_no_response():
    _, response = _responses(6)
    assert not response.surprise.any()
    assert not response.outcome.any()

"""Intervals are the same bits as those of all draws held at once, in bounded memory."""

import tracemalloc

import numpy as np
import pytest

from ranker.training.bootstrap import DRAWS, LEVEL, interval_of


@pytest.mark.parametrize("requests", [1, 2, 7, 30, 333, 1_000, 4_097])
def test_an_interval_is_that_of_all_draws_at_once(requests: int) -> None:
    values = np.random.default_rng(requests).random(requests)
    even = np.full(requests, 1 / requests)
    weights = np.random.default_rng(0).multinomial(requests, even, size=DRAWS)
    low, high = np.quantile(weights @ values / requests, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    assert interval_of(values) == (low, high)


def test_memory_does_not_grow_with_the_draws() -> None:
    values = np.random.default_rng(0).random(10_000)
    tracemalloc.start()
    interval_of(values)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < DRAWS * values.nbytes / 8


def test_of_nothing_there_is_no_interval() -> None:
    assert np.isnan(interval_of(np.empty(0))).all()

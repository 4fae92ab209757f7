"""NDCG@10 against a calculation by hand and a naive one."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ranker.training.metrics import ndcg
from ranker.training.rows import Rows


def rows_with(requests: list[list[int]]) -> Rows:
    sizes = [len(clicks) for clicks in requests]
    n = sum(sizes)
    return Rows(
        dense=np.zeros((n, 1), np.float32),
        ids=np.zeros((n, 1), np.int64),
        position=np.zeros(n, np.int64),
        propensity=np.full(n, np.nan, np.float32),
        labels={"click": np.array([click for clicks in requests for click in clicks], np.float32)},
        starts=np.concatenate(([0], np.cumsum(sizes))).astype(np.int64),
        time_ms=np.arange(len(sizes)),
    )


def naive(scores: list[float], clicks: list[int]) -> float:
    order = sorted(range(len(scores)), key=lambda i: -scores[i])
    found = sum(clicks[i] / math.log2(rank + 2) for rank, i in enumerate(order[:10]))
    ideal = sum(1 / math.log2(rank + 2) for rank in range(min(10, sum(clicks))))
    return found / ideal


def test_a_perfect_order_is_one() -> None:
    assert ndcg(np.array([3.0, 2.0, 1.0]), rows_with([[1, 1, 0]])) == pytest.approx([1.0])


def test_a_click_in_second_place_counts_its_discount() -> None:
    assert ndcg(np.array([2.0, 1.0]), rows_with([[0, 1]])) == pytest.approx([1 / math.log2(3)])


def test_requests_without_a_click_are_left_out() -> None:
    assert len(ndcg(np.zeros(4), rows_with([[0, 0], [0, 1]]))) == 1


def test_a_click_after_the_tenth_place_counts_nothing() -> None:
    assert ndcg(-np.arange(12.0), rows_with([[0] * 11 + [1]])) == pytest.approx([0.0])


def test_ties_do_not_favour_the_order_in_which_rows_lie() -> None:
    rows = rows_with([[1] + [0] * 23] * 500)
    assert ndcg(np.zeros(len(rows)), rows).mean() < 0.4


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=30), min_size=1, max_size=6), st.integers(0, 99))
def test_it_equals_the_naive_calculation(clicks: list[list[bool]], seed: int) -> None:
    requests = [[int(click) for click in request] for request in clicks]
    rows = rows_with(requests)
    scores = np.random.default_rng(seed).permutation(len(rows)).astype(float)
    parts = np.split(scores, rows.starts[1:-1])
    expected = [naive(list(s), c) for s, c in zip(parts, requests, strict=True) if any(c)]
    assert ndcg(scores, rows) == pytest.approx(expected)

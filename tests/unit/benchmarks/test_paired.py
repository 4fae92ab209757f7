"""Ratios of paired blocks on a machine with moods."""

import numpy as np
import pytest

from benchmarks.paired import paired_ratio, turns

PAIRS, CALLS = 200, 25


def times(rng: np.random.Generator, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Calls of 3 ms and of ``ratio`` of that, in pairs during which the machine is up to twice as slow."""
    mood = rng.uniform(1.0, 2.0, (PAIRS, 1))
    calls = 3.0 * mood[None] * rng.lognormal(0.0, 0.2, (2, PAIRS, CALLS))
    return ratio * calls[0], calls[1]


@pytest.mark.parametrize("seed", range(5))
def test_a_difference_of_five_percent_is_told_from_none_whatever_the_machines_moods(seed: int) -> None:
    rng = np.random.default_rng(seed)
    some, none = (paired_ratio(*times(rng, ratio), rng) for ratio in (1.05, 1.0))
    assert none.upper < 1.03 < some.lower
    assert some.lower < some.estimate < some.upper


def test_either_comes_first_as_often_as_the_other() -> None:
    order = turns(200, np.random.default_rng(1))
    assert all(first is not second for first, second in order)
    assert sum(first for first, _ in order) == 100
    assert len({tuple(order[n : n + 3]) for n in range(50)}) == 8

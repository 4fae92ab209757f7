"""Confidence sequences: looked at after every epoch, and still right."""

import numpy as np
import pytest

from streams.feedback.evidence.confidence import AsymptoticSequence, EmpiricalBernstein

RUNS, EPOCHS, N, MEAN = 400, 40, 100, 0.03


def _played(sequence, take):
    """Whether each run's interval ever missed the mean, looked at in all epochs; and the last interval."""
    rng = np.random.default_rng(5)
    missed = np.zeros(RUNS, np.bool_)
    for _ in range(EPOCHS):
        take(sequence, MEAN + 0.3 * rng.uniform(-1, 1, (RUNS, N)))
        interval = sequence.interval()
        missed |= (interval.lower > MEAN) | (interval.upper < MEAN)
    return missed.mean(), interval


@pytest.mark.parametrize(
    ("sequence", "take"),
    [
        (AsymptoticSequence((RUNS,)), lambda it, x: it.update(x, np.ones_like(x))),
        (EmpiricalBernstein((RUNS,)), lambda it, x: it.update(x, np.ones_like(x), np.full(RUNS, 0.5))),
    ],
    ids=["asymptotic", "empirical Bernstein"],
)
def test_it_misses_the_mean_in_at_most_one_of_twenty_runs_over_all_looks(sequence, take):
    missed, interval = _played(sequence, take)
    # 400 runs at .05: 35 misses or more happen once in 1 000.
    assert missed <= 35 / RUNS
    assert np.all(interval.upper - interval.lower < 0.04)


def test_a_fixed_interval_looked_at_in_every_epoch_misses_far_more_often():
    """What the sequence is for: the usual 1.96 standard errors fail on the same data."""
    rng = np.random.default_rng(5)
    values = MEAN + 0.3 * rng.uniform(-1, 1, (RUNS, EPOCHS * N))
    n = np.arange(N, EPOCHS * N + 1, N)
    means = values.cumsum(axis=-1)[:, n - 1] / n
    missed = (np.abs(means - MEAN) > 1.96 * values.std() / np.sqrt(n)).any(axis=-1)
    assert missed.mean() > 0.15


def test_before_the_first_value_anything_is_possible():
    for sequence in (AsymptoticSequence((2,)), EmpiricalBernstein((2,))):
        interval = sequence.interval()
        assert np.isnan(interval.estimate).all()
        assert (interval.lower == -np.inf).all()
        assert (interval.upper == np.inf).all()
    assert (AsymptoticSequence((2,)).lower_bound() == -np.inf).all()


def test_values_of_weight_zero_are_left_out():
    some, all_of_them = AsymptoticSequence(()), AsymptoticSequence(())
    values = np.array([0.1, 0.4, -0.2, 9.0])
    all_of_them.update(values[:3], np.ones(3))
    some.update(values, np.array([1.0, 1.0, 1.0, 0.0]))
    assert np.isfinite(some.interval().estimate)
    assert some.interval() == all_of_them.interval()


def test_one_side_alone_is_bounded_more_tightly():
    sequence = AsymptoticSequence(())
    sequence.update(np.random.default_rng(1).normal(0.1, 1.0, 5_000), np.ones(5_000))
    assert sequence.interval().lower < sequence.lower_bound() < sequence.interval().estimate

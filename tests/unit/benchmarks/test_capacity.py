"""The capacity is the last rate that holds, however low."""

import pytest

from benchmarks.capacity import LIMIT_MS, RATES, REQUESTS_PER_RATE, SECONDS_PER_RATE, largest_rate


@pytest.mark.parametrize("holds_until", RATES)
def test_the_largest_rate_is_the_last_before_one_that_is_too_slow(holds_until):
    assert largest_rate(lambda rate: LIMIT_MS if rate <= holds_until else LIMIT_MS + 1) == (
        holds_until,
        LIMIT_MS,
    )


def test_where_none_holds_the_p99_of_the_lowest_is_told():
    assert largest_rate(lambda rate: 100.0 + rate) == (0.0, 100.0 + RATES[0])


def test_the_lowest_rate_is_one_that_any_machine_holds_and_all_are_tried_within_three_minutes():
    assert RATES[0] <= 5
    assert list(RATES) == sorted(RATES)
    assert sum(max(SECONDS_PER_RATE, REQUESTS_PER_RATE / rate) for rate in RATES) < 150

"""Thresholds from a budget."""

import pytest

from streams.feedback.evidence.alarm_budget import AlarmBudget


def test_many_processes_share_the_budget():
    budget = AlarmBudget(tickets_per_30_days=0.1, pages_per_30_days=0.01, streams=50, starts_per_30_days=4)
    assert budget.ticket == 2_000
    assert budget.page == 20_000


def test_thresholds_never_fall_below_100_and_1000():
    generous = AlarmBudget(tickets_per_30_days=100, pages_per_30_days=100)
    assert (generous.ticket, generous.page) == (100, 1000)


@pytest.mark.parametrize(
    "field", ["tickets_per_30_days", "pages_per_30_days", "streams", "starts_per_30_days"]
)
def test_what_is_not_above_zero_is_refused_by_name(field):
    with pytest.raises(ValueError, match=field):
        AlarmBudget(**{field: 0})

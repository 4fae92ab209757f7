"""Experiments that cost too much are stopped, each time that somebody starts them."""

import pytest

from feature_store.clock import ManualClock
from feature_store.online.switches import MemorySwitches
from ranker.experiments.budget import CostBudget

JUDGED_FROM = 100


@pytest.fixture
def switches():
    return MemorySwitches()


class Spending:
    """A budget, and how many answers were measured."""

    def __init__(self, switches):
        self.budget = CostBudget(switches, 0.01, ManualClock(5), lambda *_: None)
        self.answers = 0

    def spend(self, share, times, *, could_cost=True):
        for _ in range(times):
            self.answers += could_cost
            self.budget.spent("nudges", share, self.answers)


@pytest.fixture
def spending(switches):
    return Spending(switches)


def test_what_costs_more_than_it_may_is_stopped_once_enough_was_measured(switches, spending):
    spending.spend(0.02, JUDGED_FROM - 1)
    assert switches.read() == {}
    spending.spend(0.02, 1)
    assert "2.00% of the expected value" in switches.read()["nudges"].reason


def test_what_costs_as_much_as_it_may_goes_on(switches, spending):
    spending.spend(0.01, 3 * JUDGED_FROM)
    assert switches.read() == {}


def test_what_is_started_again_is_judged_anew_and_stopped_again(switches, spending):
    spending.spend(0.02, JUDGED_FROM + 10)
    switches.switch_on("nudges")
    spending.spend(0.02, JUDGED_FROM)
    assert switches.read() == {}
    spending.spend(0.02, 1)
    assert "nudges" in switches.read()


def test_the_first_reason_stays_while_it_is_off(switches, spending):
    spending.spend(0.02, JUDGED_FROM)
    spending.spend(0.5, JUDGED_FROM)
    assert "2.00%" in switches.read()["nudges"].reason


def test_answers_that_could_not_have_cost_anything_tell_nothing(switches, spending):
    spending.spend(0.02, JUDGED_FROM - 1)
    spending.spend(0.02, JUDGED_FROM, could_cost=False)
    assert switches.read() == {}

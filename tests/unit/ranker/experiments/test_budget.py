"""Experiments that cost too much are stopped, each time that somebody starts them."""

import pytest

from feature_store.clock import ManualClock
from feature_store.online.switches import MemorySwitches
from ranker.experiments.budget import CostBudget

JUDGED_FROM = 100


@pytest.fixture
def switches():
    return MemorySwitches()


@pytest.fixture
def budget(switches):
    return CostBudget(switches, 0.01, ManualClock(5), lambda *_: None)


def spend(budget, share, times):
    for _ in range(times):
        budget.spent("nudges", share)


def test_what_costs_more_than_it_may_is_stopped_once_enough_was_measured(switches, budget):
    spend(budget, 0.02, JUDGED_FROM - 1)
    assert switches.read() == {}
    spend(budget, 0.02, 1)
    assert "2.00% of the expected value" in switches.read()["nudges"].reason


def test_what_costs_as_much_as_it_may_goes_on(switches, budget):
    spend(budget, 0.01, 3 * JUDGED_FROM)
    assert switches.read() == {}


def test_what_is_started_again_is_judged_anew_and_stopped_again(switches, budget):
    spend(budget, 0.02, JUDGED_FROM + 10)
    switches.switch_on("nudges")
    spend(budget, 0.02, JUDGED_FROM - 1)
    assert switches.read() == {}
    spend(budget, 0.02, 1)
    assert "nudges" in switches.read()


def test_the_first_reason_stays_while_it_is_off(switches, budget):
    spend(budget, 0.02, JUDGED_FROM)
    spend(budget, 0.5, JUDGED_FROM)
    assert "2.00%" in switches.read()["nudges"].reason

"""When a process that does not answer is given up."""

import pytest

from eddyline.stack.patience import Patience
from feature_store.clock import ManualClock


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def patience(clock: ManualClock) -> Patience:
    return Patience(clock, late_s=1.0, longest_turn_s=6.0)


def test_time_without_a_good_answer_adds_up(clock, patience):
    for unwell_s in (5.0, 10.0, 15.0):
        clock.advance(5_000)
        assert patience.turn(False, 0.0) == unwell_s


def test_one_good_answer_is_a_new_beginning(clock, patience):
    clock.advance(5_000)
    patience.turn(False, 0.0)
    clock.advance(5_000)
    assert patience.turn(True, 0.0) == 0.0
    clock.advance(2_000)
    assert patience.turn(False, 0.0) == 2.0


def test_while_the_watcher_itself_is_starved_nobody_is_blamed(clock, patience):
    for _ in range(100):
        clock.advance(5_000)
        assert patience.turn(False, 1.5) == 0.0
    clock.advance(5_000)
    assert patience.turn(False, 1.0) == 5.0


def test_a_watcher_that_slept_for_an_hour_has_seen_one_turn(clock, patience):
    clock.advance(3_600_000)
    assert patience.turn(False, 0.0) == 6.0

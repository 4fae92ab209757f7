"""When a process that does not answer is given up."""

import pytest

from eddyline.stack.patience import Patience
from eddyline.stack.process import NoAnswer
from feature_store.clock import ManualClock

SILENT = NoAnswer("no answer")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def patience(clock: ManualClock) -> Patience:
    return Patience(clock, late_s=1.0, longest_turn_s=6.0, silent_share=0.2)


def test_time_in_which_it_says_that_it_is_unwell_adds_up(clock, patience):
    for unwell_s in (5.0, 10.0, 15.0):
        clock.advance(5_000)
        assert patience.turn("stuck", 0.0, 0.0) == unwell_s


def test_one_good_answer_is_a_new_beginning(clock, patience):
    clock.advance(5_000)
    patience.turn("stuck", 0.0, 0.0)
    clock.advance(5_000)
    assert patience.turn(None, 0.0, 0.0) == 0.0
    clock.advance(2_000)
    assert patience.turn("stuck", 0.0, 0.0) == 2.0


def test_while_the_watcher_itself_is_starved_nobody_is_blamed(clock, patience):
    for _ in range(100):
        clock.advance(5_000)
        assert patience.turn("stuck", 0.0, 1.5) == 0.0
    clock.advance(5_000)
    assert patience.turn("stuck", 0.0, 1.0) == 5.0


def test_a_watcher_that_slept_for_an_hour_has_seen_one_turn(clock, patience):
    clock.advance(3_600_000)
    assert patience.turn("stuck", 0.0, 0.0) == 6.0


def test_a_silent_process_that_spins_is_as_stuck_as_one_that_says_so(clock, patience):
    for used_s in (5.0, 10.0, 15.0):
        clock.advance(5_000)
        assert patience.turn(SILENT, used_s, 0.0) == used_s


def test_many_threads_make_no_turn_longer_than_it_was(clock, patience):
    clock.advance(5_000)
    assert patience.turn(SILENT, 40.0, 0.0) == 5.0


def test_a_silent_process_that_is_starved_is_given_time_by_what_it_got(clock, patience):
    clock.advance(5_000)
    assert patience.turn(SILENT, 2.0, 0.0) == 2.0
    clock.advance(5_000)
    assert patience.turn(SILENT, 3.5, 0.0) == 3.5


def test_a_silent_process_that_uses_nothing_is_given_five_times_as_long(clock, patience):
    for unwell_s in (1.0, 2.0, 3.0):
        clock.advance(5_000)
        assert patience.turn(SILENT, 0.0, 0.0) == unwell_s


def test_what_it_used_while_it_was_well_is_not_held_against_it(clock, patience):
    clock.advance(5_000)
    patience.turn(None, 100.0, 0.0)
    clock.advance(5_000)
    assert patience.turn(SILENT, 100.0, 0.0) == 1.0

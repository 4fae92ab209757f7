from eddyline.replay.pace import Pace
from feature_store.clock import ManualClock


def test_events_pass_at_the_rate_given() -> None:
    clock = ManualClock()
    pace = Pace(100.0, clock, lambda seconds: clock.advance(round(seconds * 1000)))
    for _ in range(10):
        pace.wait(50)
    assert clock.monotonic_ns() == 9 * 500 * 1_000_000


def test_time_lost_elsewhere_is_made_up() -> None:
    clock = ManualClock()
    pace = Pace(100.0, clock, lambda seconds: clock.advance(round(seconds * 1000)))
    pace.wait(50)
    clock.advance(2000)
    pace.wait(100)
    assert clock.monotonic_ns() == 2000 * 1_000_000


def test_without_a_rate_nothing_waits() -> None:
    slept: list[float] = []
    pace = Pace(None, ManualClock(), slept.append)
    pace.wait(1_000_000)
    pace.wait(1)
    assert slept == []

"""Workers that are alive but get nowhere."""

import pytest
from faust.types import TP
from prometheus_client import CollectorRegistry, Gauge

from feature_store.clock import ManualClock
from streams.apps.progress import LogTruncated, ProgressWatch

TP1 = TP("batches.user", 1)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def registry() -> CollectorRegistry:
    return CollectorRegistry()


@pytest.fixture
def positions() -> dict[TP, int]:
    return {TP1: 3}


@pytest.fixture
def watch(clock, registry, positions) -> ProgressWatch:
    lag = Gauge("lag_offsets", "Lag.", ["topic", "partition"], registry=registry)
    return ProgressWatch(lambda: positions, lag, clock, stuck_after_s=30)


def observe(watch: ProgressWatch, clock: ManualClock, seconds: int, position: int, end: int) -> None:
    for _ in range(seconds):
        clock.advance(1000)
        watch.observe({TP1: position}, {TP1: end})


def test_lag_is_what_lies_between_the_position_and_the_end(watch, clock, registry):
    observe(watch, clock, 1, 3, 10)
    assert registry.get_sample_value("lag_offsets", {"topic": "batches.user", "partition": "1"}) == 7


def test_a_partition_that_is_behind_and_does_not_move_is_stuck(watch, clock):
    observe(watch, clock, 29, 3, 10)
    assert watch.stuck() is None
    observe(watch, clock, 5, 3, 10)
    assert "stuck at offset 3, 7 behind" in watch.stuck()
    observe(watch, clock, 1, 4, 10)
    assert watch.stuck() is None


def test_a_partition_at_its_end_is_not_stuck(watch, clock):
    observe(watch, clock, 100, 10, 10)
    assert watch.stuck() is None


def test_a_loop_that_no_longer_looks_is_stuck(watch, clock):
    clock.advance(31_000)
    assert watch.stuck() is not None


def test_a_log_that_ends_before_what_was_read_is_an_error(watch):
    with pytest.raises(LogTruncated, match="ends at 2"):
        watch.observe({TP1: 3}, {TP1: 2})


def test_without_an_assignment_a_worker_is_not_ready_and_in_the_end_not_alive(clock, registry):
    lag = Gauge("lag_offsets", "Lag.", ["topic", "partition"], registry=registry)
    watch = ProgressWatch(lambda: None, lag, clock, stuck_after_s=30)
    assert watch.not_ready() == "waiting for its partitions"
    for _ in range(40):
        clock.advance(1000)
        watch.observe(None, {})
    assert "without an assignment" in watch.stuck()

"""Records wait for a partition that is behind in time, within bounds."""

from feature_store.clock import ManualClock
from streams.ingest.holdback import Holdback
from streams.ingest.records import Run


def run(partition: int, *times_ms: int, first: int = 0) -> Run:
    n = len(times_ms)
    return Run(partition, list(range(first, first + n)), list(times_ms), [None] * n, [b""] * n)


def times(runs: list[Run]) -> dict[int, list[int]]:
    return {run.partition: run.times_ms for run in runs}


def holdback(
    max_held: int = 100, max_hold_ms: int = 500, max_held_bytes: int = 1_000
) -> tuple[Holdback, ManualClock]:
    clock = ManualClock()
    held = Holdback(max_held, max_held_bytes, max_hold_ms, clock)
    held.assign([0, 1])
    return held, clock


def test_nothing_waits_when_all_partitions_were_read_to_their_end() -> None:
    held, _ = holdback()
    held.add(run(0, 10, 20))
    assert times(held.release(lambda _: True)) == {0: [10, 20]}


def test_records_wait_until_the_partition_behind_has_come_as_far() -> None:
    held, _ = holdback()
    held.add(run(0, 10, 20, 30))
    held.add(run(1, 5, 20))
    assert times(held.release(lambda partition: partition == 0)) == {0: [10, 20], 1: [5, 20]}
    assert len(held) == 1
    held.add(run(1, 31, first=2))
    assert times(held.release(lambda partition: partition == 0)) == {0: [30], 1: [31]}


def test_records_wait_for_a_partition_of_which_nothing_was_read() -> None:
    held, _ = holdback()
    held.add(run(0, 10))
    assert held.release(lambda partition: partition == 0) == []
    assert times(held.release(lambda _: True)) == {0: [10]}


def test_they_wait_no_longer_than_the_limit() -> None:
    held, clock = holdback(max_hold_ms=500)
    held.add(run(0, 10))
    assert held.release(lambda partition: partition == 0) == []
    clock.advance(499)
    assert held.release(lambda partition: partition == 0) == []
    clock.advance(1)
    assert times(held.release(lambda partition: partition == 0)) == {0: [10]}


def test_no_more_bytes_than_the_limit_wait() -> None:
    held, _ = holdback(max_held_bytes=9)
    large = Run(0, [0, 1], [10, 20], [None, None], [b"12345", b"6789"])
    held.add(large)
    assert held.release(lambda partition: partition == 0) == []
    held.add(Run(0, [2, 3], [30, 40], [None, None], [b"!", None]))
    assert times(held.release(lambda partition: partition == 0)) == {0: [10, 20, 30, 40]}


def test_no_more_than_the_limit_wait() -> None:
    held, _ = holdback(max_held=2)
    held.add(run(0, 10, 20, 30))
    assert times(held.release(lambda partition: partition == 0)) == {0: [10, 20, 30]}


def test_a_broker_clock_that_steps_back_does_not_change_the_order() -> None:
    held, _ = holdback()
    held.add(run(0, 30, 10, 40))
    held.add(run(1, 20))
    assert times(held.release(lambda partition: partition == 0)) == {1: [20]}
    held.add(run(1, 35, first=1))
    assert times(held.release(lambda partition: partition == 0)) == {0: [30, 10], 1: [35]}


def test_a_new_assignment_forgets_what_was_held() -> None:
    held, _ = holdback()
    held.add(run(0, 10))
    held.assign([1])
    assert held.release(lambda _: True) == []

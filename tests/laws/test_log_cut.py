"""However logs are read, and wherever reading begins again, every cut holds the same messages."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.feedback.production.dated_log import BELIEVED_AFTER_MS, DOUBTED_MS
from streams.feedback.production.log_cut import LogCut, Place
from streams.processors.start import CannotStart

MINUTE_MS = 60_000
START_MS = 1_000 * MINUTE_MS
HOUR_MS = 60 * MINUTE_MS
EPOCH_MS = 4 * MINUTE_MS
END_MS = START_MS + 8 * HOUR_MS
PLACES = (("exposures", 0), ("exposures", 1), ("score.panel", 0))
DELAYS_MS = {"score.panel": MINUTE_MS}

Stamps = Mapping[Place, Sequence[int]]
Cut = list[tuple[str, int, int]]

steps_ms = st.sampled_from([0, 1_000, MINUTE_MS, 3 * MINUTE_MS, 20 * MINUTE_MS])
wrong_ms = st.sampled_from([0, 0, 0, 0, 0, -3 * HOUR_MS, -MINUTE_MS, MINUTE_MS, 20 * MINUTE_MS, 3 * HOUR_MS])


@st.composite
def stamps_of_logs(draw: st.DrawFn) -> Stamps:
    """Times that go on, some with pauses, under clocks that jump either way for some messages."""
    logs = {}
    for place in PLACES:
        times = accumulate(draw(st.lists(steps_ms, max_size=12)), initial=START_MS)
        logs[place] = [time_ms + draw(wrong_ms) for time_ms in times]
    return logs


@st.composite
def reading_orders(draw: st.DrawFn, logs: Stamps) -> list[Place]:
    """Which log gives its next message, until all are read."""
    return draw(st.permutations([place for place, stamps in logs.items() for _ in stamps]))


class Reading(NamedTuple):
    """What the cuts held by their time, how messages were misstamped."""

    cuts: dict[int, Cut]
    wrong: Counter[str]


def cuts_of(cut: LogCut, first_ms: int) -> Iterator[tuple[int, Cut]]:
    """The cuts that are due from ``first_ms`` on, by their time, as long as there may be more."""
    while first_ms <= END_MS and cut.complete(first_ms):
        yield first_ms, [(each.topic, each.partition, each.offset) for each in cut.before(first_ms)]
        first_ms += EPOCH_MS


def read(logs: Stamps, order: Sequence[Place], restarts: frozenset[int] = frozenset()) -> Reading:
    """Read ``logs`` in an order, beginning again from what was cut so far after some messages."""
    cut = LogCut(dict.fromkeys(logs, 0), DELAYS_MS)
    found: dict[int, Cut] = {}
    wrong: Counter[str] = Counter()

    def close() -> None:
        found.update(cuts_of(cut, max(found, default=START_MS - 4 * HOUR_MS) + EPOCH_MS))

    for number, place in enumerate(order):
        offset = cut.read_offsets()[place]
        wrong += cut.take(place, offset, logs[place][offset], b"")
        close()
        if number in restarts:
            again = LogCut(cut.next_offsets(), DELAYS_MS, cut.judged())
            for each, upto in cut.read_offsets().items():
                for offset in range(again.read_offsets()[each], upto):
                    again.take(each, offset, logs[each][offset], b"")
            cut = again
    for place in logs:
        cut.quiet(place, END_MS)
    close()
    return Reading(found, wrong)


@given(st.data())
def test_any_order_of_reading_and_any_restart_gives_the_same_cuts(data: st.DataObject) -> None:
    logs = data.draw(stamps_of_logs())
    one_by_one = [place for place, stamps in logs.items() for _ in stamps]
    order = data.draw(reading_orders(logs))
    restarts = data.draw(st.frozensets(st.integers(0, len(order) - 1)))
    expected = read(logs, one_by_one)
    assert read(logs, order) == expected
    assert read(logs, order, restarts).cuts == expected.cuts


@given(st.data())
def test_nothing_is_lost_nothing_comes_twice_and_every_log_keeps_its_order(data: st.DataObject) -> None:
    logs = data.draw(stamps_of_logs())
    order = data.draw(reading_orders(logs))
    restarts = data.draw(st.frozensets(st.integers(0, len(order) - 1)))
    taken = [message for cut in read(logs, order, restarts).cuts.values() for message in cut]
    for topic, partition in PLACES:
        offsets = [offset for *place, offset in taken if place == [topic, partition]]
        assert offsets == list(range(len(logs[topic, partition])))


@given(st.data())
def test_a_message_waits_no_longer_than_for_the_next_one_that_is_stamped_as_it_should_be(
    data: st.DataObject,
) -> None:
    """Whatever the clock of one log does for less than an hour, of those read behind none waits for it."""
    steady = [START_MS + n * MINUTE_MS for n in range(40)]
    first, last = data.draw(st.integers(1, 20)), data.draw(st.integers(0, 15))
    jump_ms = data.draw(st.sampled_from([90 * MINUTE_MS, 5 * HOUR_MS]))
    jumped = [
        stamp_ms + jump_ms * (first <= number <= first + last) for number, stamp_ms in enumerate(steady)
    ]
    logs = {PLACES[0]: jumped, PLACES[1]: steady}
    order = data.draw(reading_orders(logs))
    reading = read(logs, order)
    right = read({PLACES[0]: steady, PLACES[1]: steady}, order)
    back = first + last + 1
    late = {(*PLACES[0], offset) for offset in range(first, back)}
    for at_ms, expected in right.cuts.items():
        assert set(reading.cuts[at_ms]) - late == set(expected) - late
    assert reading.wrong == Counter(ahead=last + 1)


def test_a_pause_is_no_jump_once_stamps_stay_there() -> None:
    cut = LogCut({PLACES[0]: 0}, {})
    resumed = START_MS + 8 * 60 * MINUTE_MS
    for offset, stamp_ms in enumerate([START_MS, resumed, resumed + BELIEVED_AFTER_MS - 1]):
        assert not cut.take(PLACES[0], offset, stamp_ms, b"").total()
    assert cut.doubts(PLACES[0])
    assert not cut.complete(START_MS + 1)
    cut.take(PLACES[0], 3, resumed + BELIEVED_AFTER_MS, b"")
    assert not cut.doubts(PLACES[0])
    assert [each.offset for each in cut.before(resumed + 1)] == [0, 1]


def test_a_pause_is_no_jump_once_the_brokers_time_has_come_there() -> None:
    cut = LogCut({PLACES[0]: 0}, {})
    for offset, stamp_ms in enumerate([START_MS, START_MS + 24 * HOUR_MS]):
        cut.take(PLACES[0], offset, stamp_ms, b"")
    cut.quiet(PLACES[0], START_MS + 24 * HOUR_MS - DOUBTED_MS - 1)
    assert cut.doubts(PLACES[0])
    cut.quiet(PLACES[0], START_MS + 24 * HOUR_MS - DOUBTED_MS)
    assert not cut.doubts(PLACES[0])
    assert [each.offset for each in cut.before(START_MS + 24 * HOUR_MS + 1)] == [0, 1]


def test_one_who_goes_on_doubts_what_the_one_before_would_have_doubted() -> None:
    cut = LogCut({PLACES[2]: 0}, DELAYS_MS)
    cut.take(PLACES[2], 0, START_MS, b"")
    cut.quiet(PLACES[2], START_MS + MINUTE_MS)
    assert [each.offset for each in cut.before(START_MS + MINUTE_MS + 1)] == [0]
    successor = LogCut(cut.next_offsets(), DELAYS_MS, cut.judged())
    for each in (cut, successor):
        each.take(PLACES[2], 1, START_MS + DOUBTED_MS + MINUTE_MS + 1, b"")
        assert each.doubts(PLACES[2])


def test_a_stamp_that_is_a_little_ahead_is_believed_at_once() -> None:
    cut = LogCut({PLACES[0]: 0}, {})
    for offset, stamp_ms in enumerate([START_MS, START_MS + DOUBTED_MS, START_MS + 1]):
        assert not cut.take(PLACES[0], offset, stamp_ms, b"").total()
    assert [each.time_ms for each in cut.before(START_MS + 24 * HOUR_MS)] == [
        START_MS,
        START_MS + DOUBTED_MS,
        START_MS + DOUBTED_MS,
    ]


def test_one_that_is_far_behind_is_counted_and_counts_as_of_those_before_it() -> None:
    cut = LogCut({PLACES[0]: 0}, {})
    cut.take(PLACES[0], 0, START_MS, b"")
    assert cut.take(PLACES[0], 1, START_MS - 24 * HOUR_MS, b"") == Counter(behind=1)
    assert [each.time_ms for each in cut.before(START_MS + 1)] == [START_MS, START_MS]


def test_a_message_that_is_missing_is_refused_and_one_that_was_read_is_left_out() -> None:
    cut = LogCut({PLACES[0]: 5}, {})
    with pytest.raises(CannotStart, match="message 5 comes next, 6 came"):
        cut.take(PLACES[0], 6, START_MS, b"")
    for _ in range(2):
        cut.take(PLACES[0], 4, START_MS, b"")
        cut.take(PLACES[0], 5, START_MS, b"")
        cut.take(PLACES[0], 4, START_MS, b"")
        assert cut.read_offsets() == {PLACES[0]: 6}
    assert cut.next_offsets() == {PLACES[0]: 5}
    assert [each.offset for each in cut.before(START_MS + 1)] == [5]
    assert cut.next_offsets() == {PLACES[0]: 6}

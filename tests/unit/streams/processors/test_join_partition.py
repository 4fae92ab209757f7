"""The join's place in the store: exposures, then flush, then checkpoint; one owner; no gap in the logs."""

from copy import deepcopy

import pytest
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.online import MemoryOnlineStore, RolledBack, StaleOwner
from feature_store.outbound import Outbound
from feature_store.schema.exposures import decode_exposures
from feature_store.schema.topics import EXPOSURES, FEEDBACK, RANK_SERVED
from streams.processors.join_checkpoint import LogFloor, LogPosition, decode_checkpoint, first_offset, floors
from streams.processors.join_metrics import JoinMetrics
from streams.processors.join_partition import JoinPartition, JoinTakeover, write_decisions
from streams.processors.join_window import JoinWindow
from streams.processors.start import CannotStart, LogBounds, TopicIdentity
from tests.oracles.exposures import Answer, Event, Feedback
from tests.unit.streams.processors.join_messages import CLOSE_MS, LATE_MS, feedback_rows, served_rows, topic

HELD = 1 << 30


class Kept:
    """A sink that keeps what was flushed, and can be made to fail."""

    def __init__(self) -> None:
        self.flushed: list[Outbound] = []
        self._waiting: list[Outbound] = []
        self.broken = False

    def produce(self, message: Outbound) -> None:
        self._waiting.append(message)

    def flush(self) -> None:
        if self.broken:
            raise ConnectionError("broker is gone")
        self.flushed += self._waiting
        self._waiting = []


@pytest.fixture
def store() -> MemoryOnlineStore:
    return MemoryOnlineStore()


def take(store: MemoryOnlineStore, end: int = 10) -> JoinPartition:
    metrics = JoinMetrics(CollectorRegistry(), ManualClock())
    takeover = JoinTakeover(store, JoinWindow(CLOSE_MS, LATE_MS), metrics, held_bytes_max=HELD)
    log = LogBounds(0, end)
    return takeover.take(3, (topic(FEEDBACK), log), (topic(RANK_SERVED), log))


def read(join: JoinPartition, time_ms: int) -> None:
    offset = join.joiner.next_offset(FEEDBACK)
    request = f"r{offset}"
    join.joiner.take_served(offset, time_ms, served_rows(Answer(time_ms, "u", request, ("a",))))
    seen = Feedback(time_ms, (Event("u", request, "a", None, 1.0, time_ms),))
    join.joiner.take_feedback(offset, time_ms, feedback_rows(seen, offset), {0: (offset, offset)})


def requests(sink: Kept) -> list[str]:
    return [
        row["request_id"] for out in sink.flushed for row in decode_exposures(out.value or b"").to_pylist()
    ]


def test_exposures_go_to_the_partition_they_were_made_from(store: MemoryOnlineStore) -> None:
    join, sink = take(store), Kept()
    read(join, 1)
    read(join, 50)
    write_decisions([join], sink)
    assert [(out.topic, out.partition) for out in sink.flushed] == [(EXPOSURES, 3)]
    assert requests(sink) == ["r0"]


def test_what_was_not_flushed_is_written_again_after_a_restart(store: MemoryOnlineStore) -> None:
    join, sink = take(store), Kept()
    read(join, 1)
    write_decisions([join], sink)
    read(join, 50)
    sink.broken = True
    with pytest.raises(ConnectionError):
        write_decisions([join], sink)

    again, sink = take(store), Kept()
    while again.joiner.next_offset(FEEDBACK) < 2:
        read(again, (1, 50)[again.joiner.next_offset(FEEDBACK)])
    write_decisions([again], sink)
    assert requests(sink) == ["r0"]


def test_what_was_written_is_not_written_again_after_a_restart(store: MemoryOnlineStore) -> None:
    join, sink = take(store), Kept()
    for time_ms in (1, 50):
        read(join, time_ms)
    write_decisions([join], sink)
    again = take(store)
    assert again.joiner.next_offset(FEEDBACK) == 1
    read(again, 50)
    again.joiner.quiet(FEEDBACK, 500)
    again.joiner.quiet(RANK_SERVED, 500)
    write_decisions([again], sink)
    assert requests(sink) == ["r0", "r1"]


def test_what_was_never_read_is_undecided_however_early_its_stamp(store: MemoryOnlineStore) -> None:
    join, sink = take(store, end=0), Kept()
    for log in (FEEDBACK, RANK_SERVED):
        join.joiner.quiet(log, 1_000)
    write_decisions([join], sink)
    again = take(store, end=1)
    read(again, 50)
    for log in (FEEDBACK, RANK_SERVED):
        again.joiner.quiet(log, 1_001 + CLOSE_MS)
    write_decisions([again], sink)
    assert requests(sink) == ["r0"]


def test_a_checkpoint_without_floors_can_be_read() -> None:
    position = b'{"topic_id":"t","partitions":1,"reread_offset":5,"next_offset":9}'
    stored = b'{"feedback":%b,"served":%b,"source_high_water":{},"decided_to_ms":70}' % (position, position)
    assert floors(decode_checkpoint(stored), FEEDBACK, LogBounds(0, 20)) == [LogFloor(9, 70)]


def test_an_owner_that_was_replaced_writes_no_checkpoint(store: MemoryOnlineStore) -> None:
    join = take(store)
    take(store)
    read(join, 1)
    with pytest.raises(StaleOwner):
        write_decisions([join], Kept())


def test_a_store_that_went_back_in_time_is_noticed(store: MemoryOnlineStore) -> None:
    join = take(store)
    read(join, 1)
    write_decisions([join], Kept())
    before = deepcopy(store.__dict__)
    read(join, 50)
    write_decisions([join], Kept())
    store.__dict__.update(before)
    read(join, 100)
    with pytest.raises(RolledBack):
        write_decisions([join], Kept())


POSITION = LogPosition("id of t", 1, reread_offset=5, next_offset=9)


@pytest.mark.parametrize(
    ("position", "log", "first"),
    [(None, LogBounds(4, 20), 4), (POSITION, LogBounds(0, 20), 5), (POSITION, LogBounds(7, 9), 7)],
    ids=["no checkpoint", "reread", "part of what would be read again is gone"],
)
def test_reading_begins_where_the_checkpoint_and_the_log_allow(
    position: LogPosition | None, log: LogBounds, first: int
) -> None:
    assert first_offset(position, topic("t"), 0, log) == first


@pytest.mark.parametrize(
    ("identity", "log", "message"),
    [
        (TopicIdentity("t", "another", 1), LogBounds(0, 20), "topic id"),
        (TopicIdentity("t", "id of t", 2), LogBounds(0, 20), "of 1 partitions, the topic has 2"),
        (topic("t"), LogBounds(10, 20), "read up to offset 9, but the log begins at 10"),
        (topic("t"), LogBounds(0, 8), "read up to offset 9, but the log ends at 8"),
    ],
)
def test_a_log_that_does_not_fit_the_checkpoint_is_refused_with_what_to_do(
    identity: TopicIdentity, log: LogBounds, message: str
) -> None:
    with pytest.raises(CannotStart, match=rf"{message}.*EDDYLINE_JOIN_ACCEPT_LOSS=true"):
        first_offset(POSITION, identity, 0, log)
    assert first_offset(POSITION, identity, 0, log, accept_loss=True) == log.start

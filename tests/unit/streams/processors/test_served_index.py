"""The index of served rows, where a client uses a request id again and again."""

import gc
import weakref

from streams.processors.served_index import ServedIndex
from tests.oracles.exposures import Answer
from tests.unit.streams.processors.join_messages import served_rows

REPEAT_MS, KEEP_MS = 5, 100
KEY = "u|r|a"


def serve(index: ServedIndex, time_ms: int) -> None:
    index.add(time_ms, time_ms, served_rows(Answer(time_ms, "u", "r", ("a",))))


def test_the_last_answer_before_the_end_is_found_among_those_of_one_request() -> None:
    index = ServedIndex(REPEAT_MS, KEEP_MS)
    for time_ms in (10, 20, 30):
        serve(index, time_ms)
    found = [index.find([KEY], until_ms - 9, until_ms)[0] for until_ms in (9, 10, 25, 35, 45)]
    assert [row and row[0].time_ms for row in found] == [None, 10, 20, 30, None]


def test_nothing_that_was_forgotten_stays_reachable() -> None:
    index = ServedIndex(REPEAT_MS, KEEP_MS)
    serve(index, 10)
    [row] = index.find([KEY], 0, 10)
    assert row is not None
    first = weakref.ref(row[0].rows)
    del row
    for time_ms in (20, 30):
        serve(index, time_ms)
    assert index.forget_oldest() == 1
    gc.collect()
    assert first() is None
    assert len(index) == 1
    index.forget_oldest()
    index.forget_oldest()
    assert (len(index), index.nbytes) == (0, 0)

"""However the two logs are read, and wherever the join is cut off, it says what the naive join says."""

import random
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.schema.served import decode_served, encode_served
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from streams.processors.join_checkpoint import decode_checkpoint, encode_checkpoint
from streams.processors.join_metrics import JoinMetrics
from tests.oracles.exposures import Answer, Event, Expected, Feedback, Joined, join
from tests.unit.streams.processors.join_messages import (
    CLOSE_MS,
    LATE_MS,
    feedback_rows,
    joiner,
    log_readers,
    served_request,
)

END_OF_TIME_MS = 1_000_000


def nudges_of(answer: Answer) -> list[float]:
    """One for each item, and no two answers' alike."""
    return [0.1 + answer.time_ms + place / 7 for place in range(len(answer.items))]


def nudged_rows(answer: Answer) -> pa.RecordBatch:
    return decode_served(encode_served([served_request(answer, nudge=nudges_of(answer))])[0])


steps = st.integers(0, 4)
users, items = st.sampled_from("uv"), st.sampled_from("ab")
events = st.builds(
    Event,
    user=users,
    request=st.sampled_from(["r", "s", None]),
    item=items,
    action=st.sampled_from([None, None, "click", "dwell"]),
    value=st.floats(-3, 3, width=32),
    event_time_ms=st.just(0),
)


@st.composite
def answer_logs(draw: st.DrawFn) -> list[Answer]:
    """Answers, some of them to the same request, at times that never go back."""
    log, time_ms = [], 0
    for step in draw(st.lists(steps, max_size=8)):
        time_ms += step
        slate = tuple(draw(st.permutations("ab"))[: draw(st.integers(1, 2))])
        log.append(Answer(time_ms, draw(users), draw(st.sampled_from("rs")), slate))
    return log


@st.composite
def feedback_logs(draw: st.DrawFn) -> list[Feedback]:
    """Messages of impressions and interactions, at times that never go back; each event at its own."""
    log, time_ms = [], 0
    for step in draw(st.lists(steps, max_size=10)):
        time_ms += step
        rows = draw(st.lists(events, max_size=4))
        numbered = (replace(row, event_time_ms=10 * len(log) + place) for place, row in enumerate(rows))
        log.append(Feedback(time_ms, tuple(numbered)))
    return log


class Reader:
    """Reads both logs into joiners, that may be cut off and begin again from the last checkpoint kept."""

    def __init__(self, answers: list[Answer], feedback: list[Feedback]) -> None:
        self.logs: dict[str, list[Any]] = {RANK_SERVED: answers, FEEDBACK: feedback}
        self.registry = CollectorRegistry()
        self.metrics = JoinMetrics(self.registry, ManualClock())
        self.stored: bytes | None = None
        self.written: list[pa.RecordBatch] = []
        self.times_ms: dict[tuple[str, int], int] = {}
        self.begin()

    def begin(self) -> None:
        checkpoint = None if self.stored is None else decode_checkpoint(self.stored)
        self.readers = log_readers(checkpoint, {name: len(log) for name, log in self.logs.items()})
        self.joiner = joiner(self.metrics, checkpoint, self.readers)

    def read(self, name: str) -> None:
        offset = self.joiner.next_offset(name)
        if offset == len(self.logs[name]):
            return
        message = self.logs[name][offset]
        if name == RANK_SERVED:
            self.joiner.take_served(offset, message.time_ms, nudged_rows(message))
        else:
            self.joiner.take_feedback(offset, message.time_ms, feedback_rows(message), {0: (offset, offset)})
        self.times_ms[name, offset] = self.readers[name].time_ms

    def clock_ahead(self, ahead_ms: int) -> None:
        """Say at the ends of the logs that nothing comes that is older than ``ahead_ms`` after what comes."""
        for name, log in self.logs.items():
            offset = self.joiner.next_offset(name)
            if offset < len(log) and (name, offset) not in self.times_ms:
                self.joiner.quiet(name, log[offset].time_ms + ahead_ms)

    def decide(self) -> None:
        self.written += self.joiner.decide()

    def keep_checkpoint(self) -> None:
        self.decide()
        self.stored = encode_checkpoint(self.joiner.checkpoint())

    def finish(self) -> None:
        for name, log in self.logs.items():
            while self.joiner.next_offset(name) < len(log):
                self.read(name)
            self.joiner.quiet(name, END_OF_TIME_MS)
        self.decide()

    def as_timed(self, name: str) -> list[Any]:
        """The messages of a log at the times that they counted as of."""
        return [
            replace(message, time_ms=self.times_ms[name, offset])
            for offset, message in enumerate(self.logs[name])
        ]

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(name, labels) or 0.0


MOVES: dict[str, Callable[[Reader], None]] = {
    "served": lambda reader: reader.read(RANK_SERVED),
    "feedback": lambda reader: reader.read(FEEDBACK),
    "decide": Reader.decide,
    "keep_checkpoint": Reader.keep_checkpoint,
    "begin_again": Reader.begin,
}
moves = st.lists(st.sampled_from(list(MOVES)), max_size=60)


@settings(max_examples=100, deadline=None)
@given(answer_logs(), feedback_logs(), moves)
def test_any_order_of_reading_and_any_restart_give_what_the_naive_join_gives(
    answers: list[Answer], feedback: list[Feedback], moves: list[str]
) -> None:
    reader = Reader(answers, feedback)
    for move in moves:
        MOVES[move](reader)
    reader.finish()
    assert_equal(reader, join(answers, feedback, CLOSE_MS, LATE_MS))


AHEAD: dict[str, Callable[[Reader], None]] = {
    f"{ahead_ms} ms ahead": partial(Reader.clock_ahead, ahead_ms=ahead_ms) for ahead_ms in (0, 2, 7, 40)
}
UNSURE = {name: move for name, move in MOVES.items() if name != "decide"} | AHEAD
"""Without decisions that no checkpoint knows of: what they were made of may count as of another time."""


@pytest.mark.parametrize("seed", range(40))
def test_a_clock_that_is_ahead_and_any_restart_lose_nothing(seed: int) -> None:
    chance = random.Random(seed)
    reader = Reader(long_answer_log(chance), long_feedback_log(chance))
    for move in chance.choices(list(UNSURE), weights=[40, 50, 15, 5, *[2] * len(AHEAD)], k=200):
        UNSURE[move](reader)
    reader.finish()
    expected = join(reader.as_timed(RANK_SERVED), reader.as_timed(FEEDBACK), CLOSE_MS, LATE_MS)
    assert_equal(reader, expected)


@settings(max_examples=60, deadline=None)
@given(answer_logs(), feedback_logs(), st.lists(st.sampled_from(["served", "feedback", "decide"])))
def test_without_a_restart_everything_is_counted_once(
    answers: list[Answer], feedback: list[Feedback], moves: list[str]
) -> None:
    reader = Reader(answers, feedback)
    for move in moves:
        MOVES[move](reader)
    reader.finish()
    expected = join(answers, feedback, CLOSE_MS, LATE_MS)
    orphans = [e for e in expected.exposures if e.answer is None and e.impression.request]
    assert reader.count("eddyline_join_orphans_total", reason="not_served") == len(orphans)
    interactions = reader.count("eddyline_join_orphans_total", reason="no_impression")
    assert interactions == expected.orphan_interactions
    assert reader.count("eddyline_join_repeats_total", kind="impression") == expected.repeated_impressions
    assert reader.count("eddyline_join_repeats_total", kind="answer") == expected.repeated_answers
    assert reader.joiner.held_bytes == 0


@pytest.mark.parametrize("seed", range(80))
def test_a_long_run_cut_off_again_and_again_gives_what_the_naive_join_gives(seed: int) -> None:
    chance = random.Random(seed)
    answers, feedback = long_answer_log(chance), long_feedback_log(chance)
    reader = Reader(answers, feedback)
    for move in chance.choices(list(MOVES), weights=[40, 50, 5, 10, 4], k=200):
        MOVES[move](reader)
    reader.finish()
    assert_equal(reader, join(answers, feedback, CLOSE_MS, LATE_MS))


def long_answer_log(chance: random.Random) -> list[Answer]:
    times_ms = accumulate(chance.choices((0, 1, 2, 4), k=30))
    return [
        Answer(time_ms, chance.choice("uv"), chance.choice("rs"), tuple(chance.sample("ab", 2)))
        for time_ms in times_ms
    ]


def long_feedback_log(chance: random.Random) -> list[Feedback]:
    log = []
    for number, time_ms in enumerate(accumulate(chance.choices((0, 1, 1, 2), k=50))):
        kinds = chance.choices((None, None, "click", "dwell"), k=chance.randint(0, 3))
        rows = (
            Event(
                user=chance.choice("uv"),
                request=chance.choice(["r", "s", "r", "s", None]),
                item=chance.choice("ab"),
                action=kind,
                value=chance.uniform(-3, 3),
                event_time_ms=10 * number + place,
            )
            for place, kind in enumerate(kinds)
        )
        log.append(Feedback(time_ms, tuple(rows)))
    return log


def assert_equal(reader: Reader, expected: Expected) -> None:
    """Each exposure was written when it closed and with all that came later; equal revisions are equal."""
    written: dict[Any, dict[int, Any]] = defaultdict(dict)
    for row in (row for batch in reader.written for row in batch.to_pylist()):
        assert written[identity(row)].setdefault(row["revision"], row) == row
    wanted = {identity_of(exposure.impression): exposure for exposure in expected.exposures}
    assert written.keys() == wanted.keys()
    for key, revisions in written.items():
        exposure = wanted[key]
        assert {exposure.on_time, len(exposure.outcomes)} <= revisions.keys()
        for revision, row in revisions.items():
            assert row == row | expected_row(exposure, revision, reader.logs[RANK_SERVED])


def identity(row: dict[str, Any]) -> tuple[Any, ...]:
    return row["user_id"], row["request_id"], row["item_id"], row["impression_time_ms"]


def identity_of(event: Event) -> tuple[Any, ...]:
    return event.user, event.request, event.item, event.event_time_ms


def expected_row(exposure: Joined, revision: int, answers: list[Answer]) -> dict[str, Any]:
    """What the row of an exposure holds once ``revision`` interactions are folded in."""
    answer = None if exposure.answer is None else answers[exposure.answer]
    outcomes = exposure.outcomes[:revision]
    totals: dict[str, float] = {}
    for _, event in outcomes:
        totals[str(event.action)] = totals.get(str(event.action), 0.0) + event.value
    offsets = [exposure.offset, *(offset for offset, _ in outcomes)]
    ranges = [{"topic": FEEDBACK, "partition": 0, "first": min(offsets), "last": max(offsets)}]
    if exposure.answer is not None:
        at = exposure.answer
        ranges.insert(0, {"topic": RANK_SERVED, "partition": 0, "first": at, "last": at})
    return {
        "served_time_ms": answer and answer.time_ms,
        "position": answer and answer.items.index(exposure.impression.item),
        "nudge": answer and nudges_of(answer)[answer.items.index(exposure.impression.item)],
        "outcomes": list(totals.items()),
        "outcome_time_ms": max((event.event_time_ms for _, event in outcomes), default=None),
        "status": status_of(exposure, revision),
        "source_ranges": ranges,
    }


def status_of(exposure: Joined, revision: int) -> str:
    if exposure.answer is None and exposure.impression.request is not None:
        return "orphan"
    return "late" if revision > exposure.on_time else "on_time"

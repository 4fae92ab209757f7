"""What the join does with each kind of message, one at a time."""

import gc
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from prometheus_client import CollectorRegistry

from feature_store.clock import ManualClock
from feature_store.schema.requests import Assignment
from feature_store.schema.served import decode_served, encode_served
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from streams.processors.exposure_join import ExposureJoiner
from streams.processors.impressions import ImpressionMessage
from streams.processors.join_metrics import JoinMetrics
from streams.processors.join_window import JoinWindow
from streams.processors.start import CannotStart
from tests.oracles.exposures import Answer, Event, Feedback
from tests.unit.streams.processors.join_messages import (
    CLOSE_MS,
    LATE_MS,
    feedback_rows,
    joiner,
    log_readers,
    served_request,
    served_rows,
)

ANSWER = Answer(100, "u", "r", ("a", "b"), scored_only=("c",))
SEEN = Event("u", "r", "b", None, 1.0, 7)
CLICK = replace(SEEN, action="click", event_time_ms=8)


class Logs:
    """Appends to both logs of one partition and reads them at once."""

    def __init__(self, **how: Any) -> None:
        self.registry = CollectorRegistry()
        self.joiner: ExposureJoiner = joiner(JoinMetrics(self.registry, ManualClock()), **how)
        self._source_offset = 0

    def serve(self, answer: Answer) -> None:
        self.joiner.take_served(self.joiner.next_offset(RANK_SERVED), answer.time_ms, served_rows(answer))

    def happen(self, time_ms: int, *events: Event, source_offset: int | None = None) -> None:
        first = self._source_offset if source_offset is None else source_offset
        self._source_offset = max(self._source_offset, first + len(events))
        rows, ranges = feedback_rows(Feedback(time_ms, events), first), {0: (first, first + len(events) - 1)}
        self.joiner.take_feedback(self.joiner.next_offset(FEEDBACK), time_ms, rows, ranges)

    def exposures(self, until_ms: int) -> list[dict[str, Any]]:
        for topic in (FEEDBACK, RANK_SERVED):
            self.joiner.quiet(topic, until_ms)
        return [row for batch in self.joiner.decide() for row in batch.to_pylist()]

    def count(self, name: str, **labels: str) -> float:
        return self.registry.get_sample_value(f"eddyline_join_{name}_total", labels) or 0.0


def messages_in_memory() -> int:
    gc.collect()
    return sum(isinstance(each, ImpressionMessage) for each in gc.get_objects())


@pytest.fixture
def logs() -> Logs:
    return Logs()


def test_an_exposure_has_the_served_row_untouched_and_what_was_seen_and_done(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, replace(SEEN), CLICK, replace(CLICK, value=2.5, event_time_ms=9))
    [row] = logs.exposures(101 + CLOSE_MS)
    served = served_rows(ANSWER).to_pylist()[1]
    assert {name: row[name] for name in served} == served
    assert row["outcomes"] == [("click", 3.5)]
    assert (row["impression_time_ms"], row["outcome_time_ms"], row["revision"]) == (7, 9, 2)
    assert row["status"] == "on_time"
    assert logs.count("exposures", status="on_time") == 1


NUDGE = [0.1, -0.1, np.nextafter(0.1, 1.0)]
ARMS = {
    "nudges": Assignment("5a17/29166666", 1.0),
    "exploration": Assignment("slot_1", 0.05 / 20),
    "holdout": Assignment("treatment", 0.98),
}


def experimental_rows(request: str) -> pa.RecordBatch:
    """Of a nudged request that explores, in one message with one that nothing was done to."""
    nudged = served_request(
        replace(ANSWER, request=request),
        nudge=NUDGE,
        raw_score=np.array([1 / 3, 0.1 + 0.2, -1e-300]),
        published_score=np.array([1 / 3, 0.1 + 0.2, -1e-300]) + NUDGE,
        policy="home:7f",
        model_version="timeline_ranker:12",
        assignments=ARMS,
    )
    plain = served_request(replace(ANSWER, request="plain"))
    return decode_served(encode_served([plain, nudged])[0])


def test_what_experiments_did_to_an_answer_is_in_its_exposures_bit_for_bit(logs: Logs) -> None:
    rows = experimental_rows("r")
    logs.joiner.take_served(0, 100, rows)
    logs.happen(100, replace(SEEN, item="a"), SEEN, replace(SEEN, request="plain"))
    found = {(row["request_id"], row["item_id"]): row for row in logs.exposures(200)}
    served = {(row["request_id"], row["item_id"]): row for row in rows.to_pylist()}
    for place, item in enumerate("ab"):
        row = found["r", item]
        assert row["nudge"] == NUDGE[place]
        assert row["published_score"] == row["raw_score"] + row["nudge"] != row["raw_score"]
        assert (row["policy"], row["model_version"]) == ("home:7f", "timeline_ranker:12")
        assert {
            one["experiment"]: Assignment(one["variant"], one["propensity"]) for one in row["assignments"]
        } == ARMS
    for key, row in found.items():
        assert {name: row[name] for name in TOLD} == {name: served[key][name] for name in TOLD}
    assert (found["plain", "b"]["nudge"], found["plain", "b"]["assignments"]) == (0.0, [])


TOLD = ("raw_score", "nudge", "published_score", "policy", "model_version", "assignments", "propensity")


def test_an_organic_exposure_was_in_no_experiment(logs: Logs) -> None:
    logs.joiner.take_served(0, 100, experimental_rows("r"))
    logs.happen(100, replace(SEEN, request=None))
    [row] = logs.exposures(200)
    assert {name: row[name] for name in TOLD} == dict.fromkeys(TOLD)


def test_an_exposure_is_not_written_before_both_logs_have_passed_its_window(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, SEEN)
    assert logs.exposures(100 + CLOSE_MS) == []
    assert len(logs.exposures(101 + CLOSE_MS)) == 1
    assert logs.exposures(200) == []


def test_a_served_row_that_is_read_after_its_impression_is_joined(logs: Logs) -> None:
    logs.happen(100, SEEN)
    logs.serve(replace(ANSWER, time_ms=100 + CLOSE_MS))
    assert [row["status"] for row in logs.exposures(200)] == ["on_time"]


def test_a_late_outcome_gives_a_higher_revision_with_everything(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, SEEN, CLICK)
    [first] = logs.exposures(101 + CLOSE_MS)
    logs.happen(102 + CLOSE_MS, replace(CLICK, action="like", event_time_ms=50))
    [second] = logs.exposures(200)
    assert (first["revision"], first["status"]) == (1, "on_time")
    assert (second["revision"], second["status"]) == (2, "late")
    assert second["outcomes"] == [("click", 1.0), ("like", 1.0)]
    same = set(first) - {"revision", "status", "outcomes", "outcome_time_ms", "source_ranges"}
    assert {name: first[name] for name in same} == {name: second[name] for name in same}


def test_the_first_answer_to_a_request_wins_and_the_other_is_counted(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.serve(replace(ANSWER, time_ms=101, items=("b", "a")))
    logs.happen(102, SEEN)
    assert [row["position"] for row in logs.exposures(200)] == [1]
    assert logs.count("repeats", kind="answer") == 1


def test_a_request_answered_twice_in_one_message_keeps_its_first_rows(logs: Logs) -> None:
    twice = [served_request(ANSWER), served_request(replace(ANSWER, items=("b", "a"), time_ms=101))]
    logs.joiner.take_served(0, 100, decode_served(encode_served(twice)[0]))
    logs.happen(102, SEEN)
    assert [row["position"] for row in logs.exposures(200)] == [1]


def test_the_first_impression_wins_and_the_other_is_counted(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, SEEN, replace(SEEN, event_time_ms=70))
    logs.happen(101, replace(SEEN, event_time_ms=71))
    assert [row["impression_time_ms"] for row in logs.exposures(200)] == [7]
    assert logs.count("repeats", kind="impression") == 2


def test_rows_that_ingest_sent_again_count_once(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, SEEN, CLICK, source_offset=10)
    logs.happen(101, SEEN, CLICK, replace(CLICK, action="like"), source_offset=10)
    [row] = logs.exposures(101 + CLOSE_MS)
    assert dict(row["outcomes"]) == {"click": 1.0, "like": 1.0}
    assert logs.count("repeats", kind="row") == 2
    assert logs.count("repeats", kind="impression") == 0


def test_organic_impressions_give_exposures_without_a_served_row(logs: Logs) -> None:
    logs.happen(100, replace(SEEN, request=None), replace(CLICK, request=None))
    [row] = logs.exposures(200)
    assert (row["request_id"], row["user_id"], row["item_id"]) == (None, "u", "b")
    assert (row["status"], row["position"], row["features"]) == ("on_time", None, None)
    assert dict(row["outcomes"]) == {"click": 1.0}
    assert logs.count("orphans", reason="not_served") == 0


@pytest.mark.parametrize(
    "event",
    [
        replace(SEEN, request="never-ranked"),
        replace(SEEN, user="somebody else"),
        replace(SEEN, item="c"),
        replace(SEEN, item="never-scored"),
    ],
    ids=["unknown request", "another user's request", "scored but not served", "not in the slate"],
)
def test_an_impression_of_what_was_not_served_to_its_user_is_an_orphan(logs: Logs, event: Event) -> None:
    logs.serve(ANSWER)
    logs.happen(100, event)
    [row] = logs.exposures(200)
    assert (row["status"], row["request_id"], row["served_time_ms"]) == ("orphan", event.request, None)
    assert logs.count("orphans", reason="not_served") == 1


def test_an_interaction_without_an_impression_is_counted_and_gives_no_exposure(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, CLICK)
    assert logs.exposures(200) == []
    assert logs.count("orphans", reason="no_impression") == 1


def test_an_interaction_that_comes_before_its_impression_waits_for_it(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, CLICK)
    logs.happen(100 + CLOSE_MS, SEEN)
    [row] = logs.exposures(200)
    assert (row["revision"], row["status"]) == (1, "on_time")
    assert logs.count("orphans", reason="no_impression") == 0


def test_an_outcome_after_the_last_moment_is_an_orphan(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, SEEN)
    logs.happen(101 + LATE_MS, CLICK)
    assert [row["revision"] for row in logs.exposures(200)] == [0]
    assert logs.count("orphans", reason="no_impression") == 1


def test_a_message_that_is_missing_is_doubt(logs: Logs) -> None:
    logs.serve(ANSWER)
    with pytest.raises(CannotStart, match=r"rank\.served\[0\]: message 1 comes next, 2 came"):
        logs.joiner.take_served(2, 101, served_rows(ANSWER))


def test_what_came_while_log_time_was_ahead_is_written_after_a_restart() -> None:
    before = Logs()
    for topic in (FEEDBACK, RANK_SERVED):
        before.joiner.quiet(topic, 130)
    before.happen(100, SEEN)
    assert before.exposures(131) == []
    assert before.count("restamped", topic=FEEDBACK) == 1

    checkpoint = before.joiner.checkpoint()
    after = Logs(checkpoint=checkpoint, logs=log_readers(checkpoint, {FEEDBACK: 1}))
    after.happen(100, SEEN)
    after.happen(101, replace(SEEN, item="a"))
    assert [row["item_id"] for row in after.exposures(200)] == ["b", "a"]
    assert after.count("restamped", topic=FEEDBACK) == 2


def test_a_window_that_takes_too_much_closes_its_oldest_part_early_and_counts_it() -> None:
    logs = Logs(held_bytes_max=150_000)
    for number in range(100):
        logs.serve(replace(ANSWER, request=f"r{number}"))
        logs.happen(100, replace(SEEN, request=f"r{number}", event_time_ms=number))
    early = logs.exposures(100)
    assert 0 < logs.joiner.held_bytes <= 150_000
    assert logs.count("forgotten", kind="impression") == len(early) > 0
    exposures = early + logs.exposures(200)
    assert sorted(row["impression_time_ms"] for row in exposures) == list(range(100))
    assert {row["status"] for row in exposures} == {"on_time"}


def test_what_was_closed_early_is_not_held_by_outcomes_whose_time_has_not_come() -> None:
    others, logs = messages_in_memory(), Logs(held_bytes_max=150_000)
    for number in range(100):
        logs.serve(replace(ANSWER, request=f"r{number}"))
        logs.happen(100, replace(SEEN, request=f"r{number}"))
    for number in range(100):  # late, and ahead of the other log
        logs.happen(101 + CLOSE_MS, replace(CLICK, request=f"r{number}"))
    early = [row for batch in logs.joiner.decide() for row in batch.to_pylist()]
    forgotten = int(logs.count("forgotten", kind="impression"))
    assert messages_in_memory() - others == 100 - forgotten < 100
    assert len(early) == 2 * forgotten
    told = {(row["request_id"], row["revision"], row["status"]) for row in early + logs.exposures(200)}
    assert told == {(f"r{n}", *how) for n in range(100) for how in ((0, "on_time"), (1, "late"))}


def test_a_flood_of_organic_clicks_is_dropped_before_what_gives_exposures() -> None:
    logs = Logs(held_bytes_max=200_000)
    for number in range(20):
        logs.serve(replace(ANSWER, request=f"r{number}"))
        logs.happen(100, replace(SEEN, request=f"r{number}", event_time_ms=number))
    for number in range(30):
        logs.happen(101, *(replace(CLICK, request=None, item=f"{number}-{n}") for n in range(20)))
        assert logs.exposures(101) == []
        assert logs.joiner.held_bytes <= 200_000
    logs.happen(102, replace(CLICK, request="r7"))
    rows = {row["request_id"]: row for row in logs.exposures(200)}
    assert len(rows) == 20
    assert {row["status"] for row in rows.values()} == {"on_time"}
    assert rows["r7"]["outcomes"] == [("click", 1.0)]
    dropped, orphans = logs.count("forgotten", kind="outcome"), logs.count("orphans", reason="no_impression")
    assert dropped > 0
    assert dropped + orphans == 30 * 20


def test_an_impression_sent_again_and_again_takes_no_more_memory(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, SEEN, SEEN)
    held = logs.joiner.held_bytes
    for _ in range(1_000):
        logs.happen(101, SEEN)
    assert logs.joiner.held_bytes == held
    assert logs.count("repeats", kind="impression") == 1_001


def test_repeats_are_dropped_and_counted_where_memory_is_short() -> None:
    logs = Logs(held_bytes_max=20_000)
    many = [replace(SEEN, request=None, item=f"i{number}") for number in range(100)]
    for time_ms in range(100, 160, LATE_MS):
        logs.happen(time_ms, *many)
    logs.exposures(160)
    assert logs.joiner.held_bytes <= 20_000
    assert logs.count("forgotten", kind="repeat") > 0


def test_nothing_is_held_once_everything_is_decided(logs: Logs) -> None:
    logs.serve(ANSWER)
    logs.happen(100, SEEN, CLICK, replace(SEEN), replace(CLICK, item="x"))
    logs.exposures(1_000)
    assert logs.joiner.held_bytes == 0


def test_a_window_must_be_able_to_close() -> None:
    with pytest.raises(ValueError, match="late_ms=4"):
        JoinWindow(close_ms=5, late_ms=4)

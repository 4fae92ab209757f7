"""What the log says of degraded answers."""

from structlog.testing import capture_logs

from feature_store.clock import ManualClock
from ranker.pipeline.outcome import Failure
from ranker.service.failures import FailureLog
from tests.unit.ranker.service.test_http import Door

DOWN = Failure("model_unavailable", "ConnectionError: refused")
LATE = Failure("features_late", "TimeoutError: 200 ms")


def test_the_first_failure_of_a_kind_is_said_at_once_and_the_others_are_counted():
    clock = ManualClock()
    log = FailureLog(clock)
    with capture_logs() as lines:
        log.add("r1", [DOWN])
        log.add("r2", [DOWN, LATE])
        log.add("r3", [DOWN])
        clock.advance(1_000)
        log.add("r4", [DOWN])
    said = [(line["request_id"], line["note"], line["error"], line["others_since"]) for line in lines]
    assert said == [
        ("r1", DOWN.note, DOWN.error, 0),
        ("r2", LATE.note, LATE.error, 0),
        ("r4", DOWN.note, DOWN.error, 2),
    ]


def test_a_degraded_answer_leaves_its_cause_and_its_request_in_the_log():
    door = Door()
    door.world.client.failure = ConnectionError("refused")
    with door.client, capture_logs() as lines:
        answer = door.client.post("/v1/rank", json={"request_id": "r7", "user_id": "u", "candidates": ["i0"]})
    door.lanes.close()
    assert "model_unavailable" in answer.json()["degraded"]
    (line,) = [line for line in lines if line["event"] == "answer_degraded"]
    assert (line["request_id"], line["error"]) == ("r7", "ConnectionError: refused")

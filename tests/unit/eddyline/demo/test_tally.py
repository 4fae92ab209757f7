import math

from eddyline.clients.ranking import Answer
from eddyline.demo.tally import Tally
from feature_store.schema.events import ImpressionEvent, InteractionEvent
from feature_store.schema.requests import FeatureServiceRef, ModelRef, RankResponse


def _answer(
    request_id: str, version: str, latency_ms: float, degraded: list[str] | None = None, name: str = "ranker"
) -> Answer:
    response = RankResponse(
        request_id=request_id,
        user_id="u",
        surface="home",
        items=[],
        model=ModelRef(name, version),
        feature_service=FeatureServiceRef("timeline_v1", "abc"),
        served_time_ms=0,
        latency_ms=latency_ms,
        degraded=degraded or [],
    )
    return Answer(response, None, latency_ms)


def _seen(request_id: str) -> ImpressionEvent:
    return ImpressionEvent(event_id="e", event_time_ms=0, user_id="u", item_id="i", request_id=request_id)


def _did(request_id: str, action: str) -> InteractionEvent:
    return InteractionEvent(
        event_id="e", event_time_ms=0, user_id="u", item_id="i", request_id=request_id, action=action
    )


def test_clicks_belong_to_the_model_that_answered() -> None:
    tally = Tally()
    tally.count(
        [_answer("r1", "1", 1.0)], [_seen("r1"), _seen("r1"), _did("r1", "click"), _did("r1", "dwell")]
    )
    tally.count([_answer("r2", "2", 3.0)], [_seen("r2"), _did("r2", "click")])
    assert tally.models() == ["ranker 1", "ranker 2"]
    assert (tally.ctr("ranker 1"), tally.ctr("ranker 2")) == (0.5, 1.0)
    assert (tally.requests, tally.events) == (2, 6)


def test_a_failure_is_a_request_with_a_reason() -> None:
    tally = Tally()
    tally.count([Answer(None, "503 overloaded", 9.0), _answer("r", "1", 1.0)], [])
    assert (tally.requests, tally.failed, dict(tally.problems)) == (2, 1, {"503 overloaded": 1})


def test_percentiles_are_those_of_the_model_and_of_the_latest() -> None:
    tally = Tally()
    tally.count([_answer(f"r{n}", "1", float(n)) for n in range(101)], [])
    tally.count([_answer("last", "2", 1000.0)], [])
    assert (tally.latency_of("ranker 1").p50, tally.latency_of("ranker 1").p99) == (50.0, 99.0)
    assert tally.latency_of("ranker 2").p50 == 1000.0
    assert math.isnan(tally.latency_of("nobody").p50)


def test_an_answer_without_a_model_is_no_change_of_the_model_that_serves() -> None:
    tally = Tally()
    tally.count([_answer("r1", "1", 1.0), _answer("r2", "", 1.0, ["no_model"], name="")], [])
    assert tally.serving == "ranker 1"
    assert tally.models() == ["ranker 1", "(no model)"]


def test_degraded_answers_are_counted_by_note() -> None:
    tally = Tally()
    tally.count([_answer("r", "1", 1.0, ["model_late"]), _answer("s", "1", 1.0, ["model_late"])], [])
    assert tally.degraded == {"model_late": 2}

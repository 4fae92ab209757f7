"""Rank requests: what is accepted, and what is said of everything else."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.schema.requests import (
    BadRequest,
    FeatureServiceRef,
    ModelRef,
    Problem,
    RankedItem,
    RankError,
    RankRequest,
    RankResponse,
    parse_request,
)

LEAST = {"request_id": "r1", "user_id": "u1"}


def parse(**fields: Any) -> RankRequest:
    return parse_request(json.dumps(LEAST | fields, ensure_ascii=False).encode())


def test_the_least_request_has_the_defaults_of_the_contract() -> None:
    request = parse()
    assert (request.surface, request.limit, request.candidates) == ("home", 20, None)
    assert (request.event_time_ms, request.client_id) == (None, None)


def test_fields_that_nobody_declared_are_ignored() -> None:
    assert parse(colour="blue") == parse()


def test_no_candidates_and_an_empty_list_are_different_things() -> None:
    assert parse(candidates=[]).candidates == []
    assert parse(candidates=["i1", "i1", "ï"]).candidates == ["i1", "i1", "ï"]


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"user_id": ""}, "user_id"),
        ({"user_id": "x" * 129}, "user_id"),
        ({"user_id": 5}, "user_id"),
        ({"user_id": None}, "user_id"),
        ({"user_id": "a|b"}, "user_id"),
        ({"request_id": "a\nb"}, "request_id"),
        ({"request_id": "a\x7fb"}, "request_id"),
        ({"candidates": ["a", "b\u0085"]}, "candidates"),
        ({"candidates": ["a", 1]}, "candidates"),
        ({"candidates": "abc"}, "candidates"),
        ({"limit": -1}, "limit"),
        ({"limit": 2_001}, "limit"),
        ({"limit": 1.5}, "limit"),
        ({"event_time_ms": -1}, "event_time_ms"),
        ({"event_time_ms": "now"}, "event_time_ms"),
        ({"surface": "Home Page"}, "surface"),
        ({"surface": "home\n"}, "surface"),
        ({"client_id": "x" * 257}, "client_id"),
    ],
)
def test_a_bad_field_is_named(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadRequest) as refused:
        parse(**fields)
    assert (refused.value.problem.code, refused.value.problem.field) == ("invalid", field)
    assert refused.value.problem.message


def test_an_absent_field_is_named_and_the_request_id_is_kept_for_the_answer() -> None:
    with pytest.raises(BadRequest) as refused:
        parse_request(b'{"request_id": "r7"}')
    assert (refused.value.problem.field, refused.value.request_id) == ("user_id", "r7")


def test_too_many_candidates_have_a_code_of_their_own() -> None:
    payload = json.dumps(LEAST | {"candidates": ["a", "b", "c"]}).encode()
    assert len(parse_request(payload, max_candidates=3).candidates or []) == 3
    with pytest.raises(BadRequest) as refused:
        parse_request(payload, max_candidates=2)
    assert refused.value.problem == Problem("too_many_candidates", "3 candidates; at most 2", "candidates")


def test_a_moment_after_the_latest_is_refused_and_every_earlier_one_is_not() -> None:
    for time_ms in (0, 999, 1_000):
        payload = json.dumps(LEAST | {"event_time_ms": time_ms}).encode()
        assert parse_request(payload, latest_ms=1_000).event_time_ms == time_ms
    with pytest.raises(BadRequest) as refused:
        parse_request(json.dumps(LEAST | {"event_time_ms": 1_001}).encode(), latest_ms=1_000)
    assert refused.value.problem.field == "event_time_ms"
    assert refused.value.request_id == LEAST["request_id"]


@given(st.binary(max_size=200) | st.text(max_size=100).map(str.encode))
def test_any_bytes_are_a_request_or_a_reason(payload: bytes) -> None:
    try:
        request = parse_request(payload)
    except BadRequest as refused:
        assert refused.problem.code in {"malformed", "invalid"}
    else:
        assert isinstance(request, RankRequest)


def test_nesting_is_no_way_to_bring_it_down() -> None:
    with pytest.raises(BadRequest):
        parse_request(b'{"request_id":"r","user_id":"u","x":' + b"[" * 100_000)


def test_an_answer_reads_as_in_the_contract() -> None:
    response = RankResponse(
        request_id="r1",
        user_id="u1",
        surface="home",
        items=[RankedItem("i2", 0, 0.83, {"click": 0.21}, 1.0, "request")],
        model=ModelRef("timeline_ranker", "7"),
        feature_service=FeatureServiceRef("timeline_v1", "9c1f"),
        served_time_ms=5,
        latency_ms=2.4,
    )
    assert json.loads(msgspec.json.encode(response)) == {
        "request_id": "r1",
        "user_id": "u1",
        "surface": "home",
        "items": [
            {
                "item_id": "i2",
                "position": 0,
                "score": 0.83,
                "heads": {"click": 0.21},
                "propensity": 1.0,
                "source": "request",
            }
        ],
        "model": {"name": "timeline_ranker", "version": "7"},
        "feature_service": {"name": "timeline_v1", "fingerprint": "9c1f"},
        "assignments": {},
        "overrides": [],
        "degraded": [],
        "served_time_ms": 5,
        "latency_ms": 2.4,
    }


def test_an_error_reads_as_in_the_contract() -> None:
    error = RankError(error=Problem("invalid", "no", "limit"))
    assert json.loads(msgspec.json.encode(error)) == {
        "request_id": None,
        "error": {"code": "invalid", "message": "no", "field": "limit"},
    }

"""The contract of `events`: what is accepted, and a reason that a producer can act on for all else."""

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from feature_store.schema.events import (
    MAX_EVENT_BYTES,
    MAX_NUMBER,
    Event,
    ImpressionEvent,
    InteractionEvent,
    ItemEvent,
    Reason,
    Refusal,
    encode_event,
    judge_time,
    key_of,
    parse_event,
    parse_events,
)

NOW_MS = 1_700_000_000_000
ITEM = {"type": "item", "event_id": "e", "event_time_ms": NOW_MS, "item_id": "i1"}
USER = {"type": "user", "event_id": "e", "event_time_ms": NOW_MS, "user_id": "u1"}
IMPRESSION = {
    "type": "impression",
    "event_id": "e",
    "event_time_ms": NOW_MS,
    "user_id": "u1",
    "item_id": "i1",
}
INTERACTION = {**IMPRESSION, "type": "interaction", "action": "click"}
REMOVED = {**ITEM, "type": "item_removed"}


def parse(fields: object) -> Event | Refusal:
    return parse_event(json.dumps(fields).encode())


def without(fields: dict[str, object], name: str) -> dict[str, object]:
    return {key: value for key, value in fields.items() if key != name}


@pytest.mark.parametrize("fields", [ITEM, USER, IMPRESSION, INTERACTION, REMOVED])
def test_only_the_required_fields_are_needed(fields: dict[str, object]) -> None:
    assert not isinstance(parse(fields), Refusal)


@pytest.mark.parametrize("fields", [ITEM, USER, IMPRESSION, INTERACTION, REMOVED])
def test_each_required_field_is_missed_by_name(fields: dict[str, object]) -> None:
    for name in fields:
        refusal = parse(without(fields, name))
        assert isinstance(refusal, Refusal)
        assert (refusal.reason, refusal.field) == (Reason.MISSING_FIELD, name)


def test_undeclared_fields_are_ignored() -> None:
    assert parse({**IMPRESSION, "colour": {"deep": [1, None]}}) == parse(IMPRESSION)


def test_an_interaction_counts_one_unless_it_says_otherwise() -> None:
    plain, valued = parse(INTERACTION), parse({**INTERACTION, "value": 2})
    assert isinstance(plain, InteractionEvent) and isinstance(valued, InteractionEvent)
    assert (plain.value, valued.value) == (1.0, 2.0)


def test_an_impression_may_say_where_and_how_likely_it_was_shown() -> None:
    event = parse({**IMPRESSION, "position": 3, "propensity": 0.25, "request_id": "r"})
    assert isinstance(event, ImpressionEvent)
    assert (event.position, event.propensity, event.request_id) == (3, 0.25, "r")


REFUSED = [
    (b"", Reason.MALFORMED, ""),
    (b"\xff\xfe", Reason.MALFORMED, ""),
    (b"[1]", Reason.MALFORMED, ""),
    (b'{"type":"item"', Reason.MALFORMED, ""),
    (b'{"x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", Reason.MALFORMED, ""),
    (b'{"type":"user","event_id":"\\ud800"}', Reason.MALFORMED, ""),
    (b'{"type":"user","event_id":"e","event_time_ms":1,"user_id":"\xed\xa0\x80"}', Reason.MALFORMED, ""),
    (b'{"type":"interaction","value":NaN}', Reason.MALFORMED, ""),
    (b'{"type":"interaction","value":-Infinity}', Reason.MALFORMED, ""),
    (json.dumps({**ITEM, "attributes": {"x": math.nan}}).encode(), Reason.MALFORMED, ""),
    (json.dumps({**ITEM, "attributes": {"x": math.inf}}).encode(), Reason.MALFORMED, ""),
    (b" " * (MAX_EVENT_BYTES + 1), Reason.TOO_LARGE, ""),
    (json.dumps({**USER, "x": "y" * MAX_EVENT_BYTES}).encode(), Reason.TOO_LARGE, ""),
]


@pytest.mark.parametrize(("payload", "reason", "field"), REFUSED, ids=range(len(REFUSED)))
def test_what_is_no_event_is_refused(payload: bytes, reason: Reason, field: str) -> None:
    refusal = parse_event(payload)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.field) == (reason, field)


@pytest.mark.parametrize(
    ("fields", "reason", "field"),
    [
        ({**ITEM, "type": "post"}, Reason.UNKNOWN_TYPE, "type"),
        ({**ITEM, "type": 3}, Reason.UNKNOWN_TYPE, "type"),
        ({**ITEM, "schema_version": 2}, Reason.UNKNOWN_SCHEMA_VERSION, "schema_version"),
        ({**ITEM, "schema_version": 0}, Reason.UNKNOWN_SCHEMA_VERSION, "schema_version"),
        ({**ITEM, "event_id": 7}, Reason.WRONG_TYPE, "event_id"),
        ({**ITEM, "event_time_ms": "now"}, Reason.WRONG_TYPE, "event_time_ms"),
        ({**ITEM, "event_time_ms": -1}, Reason.OUT_OF_RANGE, "event_time_ms"),
        ({**ITEM, "event_time_ms": 10**18}, Reason.OUT_OF_RANGE, "event_time_ms"),
        ({**ITEM, "event_time_ms": 10**30}, Reason.OUT_OF_RANGE, "event_time_ms"),
        ({**ITEM, "item_id": ""}, Reason.BAD_ID, "item_id"),
        ({**ITEM, "item_id": "i" * 129}, Reason.BAD_ID, "item_id"),
        ({**ITEM, "item_id": "a|b"}, Reason.BAD_ID, "item_id"),
        ({**ITEM, "creator_id": "a\u0000b"}, Reason.BAD_ID, "creator_id"),
        ({**IMPRESSION, "user_id": "a\u0085b"}, Reason.BAD_ID, "user_id"),
        ({**IMPRESSION, "request_id": "a\u007fb"}, Reason.BAD_ID, "request_id"),
        ({**IMPRESSION, "position": -1}, Reason.OUT_OF_RANGE, "position"),
        ({**IMPRESSION, "propensity": 0}, Reason.OUT_OF_RANGE, "propensity"),
        ({**IMPRESSION, "propensity": 1.5}, Reason.OUT_OF_RANGE, "propensity"),
        ({**INTERACTION, "value": 1e39}, Reason.OUT_OF_RANGE, "value"),
        ({**INTERACTION, "value": -1e39}, Reason.OUT_OF_RANGE, "value"),
        ({**INTERACTION, "value": 10**39}, Reason.OUT_OF_RANGE, "value"),
        ({**INTERACTION, "value": "NaN"}, Reason.WRONG_TYPE, "value"),
        ({**INTERACTION, "action": "Click"}, Reason.BAD_ACTION, "action"),
        ({**INTERACTION, "action": ""}, Reason.BAD_ACTION, "action"),
        ({**INTERACTION, "action": "a" * 33}, Reason.BAD_ACTION, "action"),
        ({**INTERACTION, "action": "click\n"}, Reason.BAD_ACTION, "action"),
        ({**ITEM, "attributes": {"x": None}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**ITEM, "attributes": {"x": 1e39}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**USER, "attributes": {"x": -1e39}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**USER, "attributes": {"x": 10**39}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**ITEM, "attributes": {"x": True}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**ITEM, "attributes": {"x": [1]}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**ITEM, "attributes": {"x": ["a"] * 65}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**ITEM, "attributes": {str(i): 1 for i in range(65)}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**USER, "attributes": {"x": "y" * 70_000}}, Reason.BAD_ATTRIBUTES, "attributes"),
        ({**USER, "attributes": []}, Reason.BAD_ATTRIBUTES, "attributes"),
    ],
)
def test_a_bad_field_is_refused_by_name(fields: dict[str, object], reason: Reason, field: str) -> None:
    refusal = parse(fields)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.field) == (reason, field)


def test_a_number_out_of_range_is_refused() -> None:
    payload = json.dumps({**INTERACTION, "value": 1}).replace('"value": 1', '"value": 1e999').encode()
    refusal = parse_event(payload)
    assert isinstance(refusal, Refusal)
    assert (refusal.reason, refusal.field) == (Reason.OUT_OF_RANGE, "value")


def test_the_largest_numbers_that_are_accepted_stay_float32_when_all_are_summed() -> None:
    event = parse({**INTERACTION, "value": -MAX_NUMBER})
    assert isinstance(event, InteractionEvent)
    assert np.isfinite(np.float32(2.0**53 * event.value))


@given(st.floats() | st.integers())
def test_a_number_is_accepted_exactly_if_it_is_small_enough(number: float) -> None:
    fits = abs(float(number)) <= MAX_NUMBER
    assert isinstance(parse({**INTERACTION, "value": number}), Refusal) != fits
    assert isinstance(parse({**ITEM, "attributes": {"x": number}}), Refusal) != fits


def test_unusual_characters_are_allowed_in_ids() -> None:
    assert not isinstance(parse({**ITEM, "item_id": "ø\u00a0😀/%\\"}), Refusal)


def test_large_undeclared_fields_do_not_count_as_attributes() -> None:
    assert not isinstance(parse({**ITEM, "attributes": {"x": "y"}, "blob": "z" * 100_000}), Refusal)


def test_one_bad_event_does_not_touch_its_neighbours() -> None:
    payloads = [json.dumps({**ITEM, "item_id": item_id}).encode() for item_id in ("a", "b|c", "d")]
    assert [isinstance(event, Refusal) for event in parse_events(payloads)] == [False, True, False]


FIELD_NAMES = ["type", "event_id", "event_time_ms", "user_id", "item_id", "action", "attributes"]
TYPES = ["item", "user", "impression", "interaction", "item_removed"]
VALUES = st.none() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(TYPES)
OBJECTS = st.dictionaries(st.sampled_from(FIELD_NAMES), VALUES).map(json.dumps).map(str.encode)


@given(st.lists(st.none() | st.binary(max_size=32) | OBJECTS, max_size=10))
def test_nothing_makes_parsing_raise_and_one_by_one_agrees(payloads: list[bytes | None]) -> None:
    together = parse_events(payloads)
    assert len(together) == len(payloads)
    assert together == [parse_events([payload])[0] for payload in payloads]


@given(st.text(min_size=1, max_size=6))
def test_an_id_is_accepted_exactly_if_it_has_no_forbidden_character(text: str) -> None:
    forbidden = any(char == "|" or char < " " or "\x7f" <= char <= "\x9f" for char in text)
    assert isinstance(parse({**ITEM, "item_id": text}), Refusal) == forbidden


def test_an_event_survives_encoding() -> None:
    event = parse({**ITEM, "creator_id": "c", "attributes": {"genres": ["a"], "n": 1}})
    assert isinstance(event, ItemEvent)
    assert parse_event(encode_event(event)) == event
    assert msgspec.json.decode(encode_event(event))["type"] == "item"


def test_events_are_keyed_by_user_and_item_events_by_item() -> None:
    keys = [key_of(parse(fields)) for fields in (ITEM, REMOVED, USER, IMPRESSION, INTERACTION)]  # type: ignore[arg-type]
    assert keys == ["i1", "i1", "u1", "u1", "u1"]


def test_time_limits_are_inclusive() -> None:
    assert judge_time(NOW_MS + 10, NOW_MS, 10, 20) is None
    assert judge_time(NOW_MS - 20, NOW_MS, 10, 20) is None
    ahead, behind = judge_time(NOW_MS + 11, NOW_MS, 10, 20), judge_time(NOW_MS - 21, NOW_MS, 10, 20)
    assert ahead and behind
    assert (ahead.reason, behind.reason) == (Reason.TIME_AHEAD, Reason.TIME_BEHIND)
    assert ahead.field == behind.field == "event_time_ms"

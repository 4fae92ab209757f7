from collections import Counter

import msgspec

from feature_store.schema.events import (
    ImpressionEvent,
    InteractionEvent,
    Refusal,
    encode_event,
    parse_event,
)
from feature_store.schema.requests import (
    FeatureServiceRef,
    ModelRef,
    RankedItem,
    RankRequest,
    RankResponse,
    parse_request,
)
from streams.simulator import Crowd, World

NOW_MS = 1_700_000_000_000


def _answer(request: RankRequest) -> RankResponse:
    """The first candidates in the order of the request."""
    items = (request.candidates or [])[: request.limit]
    return RankResponse(
        request_id=request.request_id,
        user_id=request.user_id,
        surface=request.surface,
        items=[RankedItem(item, n, 0.0, {}, 1.0, "request") for n, item in enumerate(items)],
        model=ModelRef("none", "1"),
        feature_service=FeatureServiceRef("none", ""),
        served_time_ms=NOW_MS,
        latency_ms=0.1,
    )


def _crowd(seed: int = 1) -> Crowd:
    return Crowd(World(1), seed)


def test_requests_are_valid_and_their_candidates_differ() -> None:
    visits = _crowd().visits(20, NOW_MS)
    for request in visits.requests:
        assert parse_request(msgspec.json.encode(request)) == request
        assert len(set(request.candidates or [])) == 60


def test_the_same_seed_and_answers_give_the_same_events() -> None:
    def events() -> list:
        crowd = _crowd()
        visits = crowd.visits(30, NOW_MS)
        return crowd.reactions(visits, [_answer(request) for request in visits.requests], NOW_MS)

    assert events() == events()


def test_a_missing_answer_changes_nobody_elses_behaviour() -> None:
    def done(missing: int) -> list[tuple[str | None, str, str]]:
        crowd = _crowd()
        visits = crowd.visits(30, NOW_MS)
        answers = [_answer(request) for request in visits.requests]
        events = crowd.reactions(visits, [*[None] * missing, *answers[missing:]], NOW_MS)
        return [(event.request_id, event.item_id, getattr(event, "action", "seen")) for event in events]

    others = {request.request_id for request in _crowd().visits(30, NOW_MS).requests[10:]}
    assert done(10) == [one for one in done(0) if one[0] in others]


def test_reactions_are_valid_events_that_name_the_request_they_answer() -> None:
    crowd = _crowd()
    visits = crowd.visits(50, NOW_MS)
    events = crowd.reactions(visits, [_answer(request) for request in visits.requests], NOW_MS)
    assert not [one for one in map(parse_event, map(encode_event, events)) if isinstance(one, Refusal)]
    assert {event.request_id for event in events} == {request.request_id for request in visits.requests}
    assert len({event.event_id for event in events}) == len(events)
    assert sum(isinstance(event, ImpressionEvent) for event in events) == 500


def test_clicks_fall_with_the_position() -> None:
    crowd = _crowd()
    clicks: Counter[int] = Counter()
    for _ in range(20):
        visits = crowd.visits(200, NOW_MS)
        events = crowd.reactions(visits, [_answer(request) for request in visits.requests], NOW_MS)
        shown = {(e.request_id, e.item_id): e.position for e in events if isinstance(e, ImpressionEvent)}
        clicks.update(
            shown[event.request_id, event.item_id]
            for event in events
            if isinstance(event, InteractionEvent) and event.action == "click"
        )
    assert clicks[0] > 1.3 * clicks[4] > 1.3 * clicks[9]


def test_users_click_dwell_like_and_hide() -> None:
    crowd = _crowd()
    visits = crowd.visits(2000, NOW_MS)
    events = crowd.reactions(visits, [_answer(request) for request in visits.requests], NOW_MS)
    actions = Counter(event.action for event in events if isinstance(event, InteractionEvent))
    assert set(actions) == {"click", "dwell", "like", "hide"}
    assert actions["dwell"] == actions["click"] > actions["like"] > 0


def test_history_is_organic_and_spread_over_its_span() -> None:
    events = list(_crowd().history(1000, NOW_MS, span_ms=10_000))
    assert {event.request_id for event in events} == {None}
    times = [event.event_time_ms for event in events]
    assert times == sorted(times)
    assert NOW_MS - 10_000 <= times[0] < times[-1] <= NOW_MS
    assert not [one for one in map(parse_event, map(encode_event, events)) if isinstance(one, Refusal)]

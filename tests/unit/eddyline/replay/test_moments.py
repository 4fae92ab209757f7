import msgspec

from eddyline.replay.moments import Script
from eddyline.replay.ranklens import RankLensLog, read_ranklens
from feature_store.schema.events import ImpressionEvent, InteractionEvent, Refusal, encode_event, parse_event
from feature_store.schema.requests import parse_request
from tests.unit.eddyline.replay.logs import FIRST_MS, SMALL, as_lines


def _log(tmp_path_factory) -> RankLensLog:
    path = tmp_path_factory.mktemp("log") / "events"
    path.write_bytes(as_lines(SMALL))
    return read_ranklens(path)


def test_a_moment_asks_before_its_own_feedback_is_published(tmp_path_factory) -> None:
    first, second, third, fourth = Script(_log(tmp_path_factory), shift_ms=0).moments()
    assert [request.request_id for request in first.requests] == ["r1", "r2"]
    assert {type(event) for event in first.events} == {ImpressionEvent}
    assert (second.requests, [event.event_id for event in second.events]) == ([], ["click-r1-b"])
    assert [request.request_id for request in third.requests] == ["r3"]
    assert [type(event) for event in fourth.events] == [InteractionEvent]


def test_a_request_has_what_was_shown_and_the_shifted_time(tmp_path_factory) -> None:
    request = next(Script(_log(tmp_path_factory), shift_ms=7).moments()).requests[0]
    assert request.candidates == ["a", "b", "c"]
    assert (request.limit, request.surface, request.event_time_ms) == (3, "replay", FIRST_MS + 7)


def test_impressions_have_the_position_seen_and_the_propensity_of_a_random_order(tmp_path_factory) -> None:
    events = next(Script(_log(tmp_path_factory), shift_ms=0).moments()).events
    assert [(event.item_id, event.position) for event in events[:3]] == [("a", 0), ("b", 1), ("c", 2)]
    assert {event.propensity for event in events} == {1 / 3}
    assert {event.request_id for event in events} == {"r1", "r2"}


def test_size_counts_the_events_that_are_made(tmp_path_factory) -> None:
    script = Script(_log(tmp_path_factory), shift_ms=0)
    assert script.size == len(script.items) + sum(len(moment.events) for moment in script.moments())


def test_a_namespace_keeps_every_id_apart(tmp_path_factory) -> None:
    def ids(script: Script) -> set[str]:
        events = [*script.items, *(event for moment in script.moments() for event in moment.events)]
        names = ("event_id", "user_id", "item_id", "creator_id", "request_id")
        return {getattr(event, name, None) for event in events for name in names} - {None, ""}

    log = _log(tmp_path_factory)
    own = ids(Script(log, 0, "mine."))
    assert own and all(one.startswith("mine.") for one in own)
    assert own == {f"mine.{one}" for one in ids(Script(log, 0))}


def test_feedback_of_an_unattributed_pass_answers_no_ranking(tmp_path_factory) -> None:
    script = Script(_log(tmp_path_factory), shift_ms=0, attributed=False)
    assert {event.request_id for moment in script.moments() for event in moment.events} == {None}


def test_everything_made_is_valid_by_the_contracts(tmp_path_factory) -> None:
    script = Script(_log(tmp_path_factory), shift_ms=1)
    moments = list(script.moments())
    events = [*script.items, *(event for moment in moments for event in moment.events)]
    parsed = [parse_event(encode_event(event)) for event in events]
    assert not [one for one in parsed if isinstance(one, Refusal)]
    for moment in moments:
        for request in moment.requests:
            assert parse_request(msgspec.json.encode(request)) == request

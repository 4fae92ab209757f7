from collections.abc import Sequence

import pytest

from eddyline.clients.ranking import Answer
from eddyline.replay.moments import Moment
from eddyline.replay.pace import Pace
from eddyline.replay.player import Player, RankingFailed
from feature_store.clock import ManualClock
from feature_store.schema.events import Event, ImpressionEvent
from feature_store.schema.requests import FeatureServiceRef, ModelRef, RankRequest, RankResponse


class Stack:
    """Writes down in which order its doors are used."""

    def __init__(self, problem: str | None = None) -> None:
        self.seen: list[str] = []
        self._problem = problem

    def publish(self, events: Sequence[Event]) -> None:
        self.seen += [event.event_id for event in events]

    def flush(self) -> None:
        self.seen.append("flush")

    def covered(self) -> None:
        self.seen.append("covered")

    def rank(self, requests: Sequence[RankRequest]) -> list[Answer]:
        self.seen += [request.request_id for request in requests]
        return [
            Answer(None if self._problem else _response(request), self._problem, 1.5) for request in requests
        ]


def _response(request: RankRequest) -> RankResponse:
    return RankResponse(
        request_id=request.request_id,
        user_id=request.user_id,
        surface=request.surface,
        items=[],
        model=ModelRef("counters", "1"),
        feature_service=FeatureServiceRef("timeline_v1", "abc"),
        served_time_ms=0,
        latency_ms=1.0,
    )


def _moment(requests: str, events: str) -> Moment:
    return Moment(
        [RankRequest(request_id=name, user_id="u") for name in requests],
        [ImpressionEvent(event_id=name, event_time_ms=0, user_id="u", item_id="i") for name in events],
    )


def _player(stack: Stack, advanced: list[int]) -> Player:
    return Player(stack, stack, Pace(None, ManualClock(), lambda _: None), advanced.append)


def test_requests_wait_for_all_earlier_events_and_for_nothing_of_their_own_moment() -> None:
    stack, advanced = Stack(), list[int]()
    played = _player(stack, advanced).play(
        [_moment("A", "a"), _moment("", "b"), _moment("BC", "c")], stack.covered
    )
    assert stack.seen == ["flush", "covered", "A", "a", "b", "flush", "covered", "B", "C", "c", "flush"]
    assert [response.request_id for response in played.responses] == ["A", "B", "C"]
    assert played.latency_ms == [1.5] * 3
    assert sum(advanced) == 3


def test_a_request_without_a_ranking_ends_the_replay_with_its_id_and_the_reason() -> None:
    stack = Stack("503 overloaded")
    with pytest.raises(RankingFailed, match="request A: 503 overloaded"):
        _player(stack, []).play([_moment("A", "a")], stack.covered)

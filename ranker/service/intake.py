"""`POST /v1/events`: events for producers without Kafka, judged as ingest judges them."""

from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol

import msgspec

from feature_store.schema.events import Refusal, key_of, parse_events
from feature_store.schema.requests import BadRequest, Problem


class EventsRequest(msgspec.Struct):
    """Body of `POST /v1/events`."""

    events: list[msgspec.Raw]


class RejectedEvent(msgspec.Struct):
    """An event that was not taken: its index in the body, and why."""

    index: int
    reason: str
    field: str
    message: str


class EventsAnswer(msgspec.Struct):
    """How many events Kafka has acknowledged, and those that were refused before."""

    accepted: int
    rejected: list[RejectedEvent]


class EventLog(Protocol):
    """Where events go."""

    def publish_events(self, events: list[tuple[str, bytes]]) -> "Future[None]":
        """Write (key, bytes); the future is done when all are acknowledged."""


@dataclass(frozen=True, slots=True)
class Judged:
    """The events of a body, told apart."""

    accepted: list[tuple[str, bytes]]
    rejected: list[RejectedEvent]


_decode = msgspec.json.Decoder(EventsRequest).decode


def judge(body: bytes, max_events: int) -> Judged:
    """Tell the events of a body apart; the bytes of accepted ones stay as they came.

    Raises
    ------
    BadRequest
        The body is not ``{"events":[…]}``, or holds more than ``max_events``.
    """
    try:
        payloads = [bytes(raw) for raw in _decode(body).events]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRequest(Problem("malformed", f'expected {{"events": [...]}}: {error}', "events")) from None
    if len(payloads) > max_events:
        problem = Problem("too_many_events", f"{len(payloads)} events; at most {max_events}", "events")
        raise BadRequest(problem)
    judged = Judged([], [])
    for index, (payload, event) in enumerate(zip(payloads, parse_events(payloads), strict=True)):
        if isinstance(event, Refusal):
            rejected = RejectedEvent(index, event.reason.value, event.field, event.message)
            judged.rejected.append(rejected)
        else:
            judged.accepted.append((key_of(event), payload))
    return judged

"""`/openapi.json`, generated from the structs that requests are decoded with."""

from functools import cache
from typing import Any

import msgspec

from feature_store.schema.events import (
    ImpressionEvent,
    InteractionEvent,
    ItemEvent,
    ItemRemovedEvent,
    UserEvent,
)
from feature_store.schema.requests import RankError, RankRequest, RankResponse
from ranker.service.feature_reader import EntityFeatures
from ranker.service.intake import EventsAnswer

_EVENTS = (ItemEvent, ItemRemovedEvent, UserEvent, ImpressionEvent, InteractionEvent)
_STRUCTS = (RankRequest, RankResponse, RankError, EventsAnswer, EntityFeatures, *_EVENTS)
_PREFIX = "#/components/schemas/"

_BAD = "400", "The request is malformed, or a field is not valid."
_LARGE = "413", "Too many candidates or events, or too large a body."
_BUSY = "503", "Overloaded, or Kafka did not acknowledge; try again after `Retry-After` seconds."
_ABSENT = "404", "There is none."


@cache
def openapi_json() -> bytes:
    """The document as JSON."""
    _, schemas = msgspec.json.schema_components(_STRUCTS, ref_template=_PREFIX + "{name}")
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Eddyline ranker",
            "version": "1",
            "description": "Timelines, and what they rest on.",
        },
        "paths": _paths(),
        "components": {"schemas": schemas},
    }
    return msgspec.json.encode(document)


def _paths() -> dict[str, Any]:
    events = {"oneOf": [_ref(event.__name__) for event in _EVENTS]}
    batch = {"type": "object", "required": ["events"], "properties": {"events": _array(events)}}
    probe = _operation("Whether the process is well; 503 with a reason if not.", {"type": "object"})
    return {
        "/v1/rank": {
            "post": _operation(
                "Rank a timeline.", _ref("RankResponse"), (_BAD, _LARGE, _BUSY), body=_ref("RankRequest")
            )
        },
        "/v1/events": {
            "post": _operation(
                "Publish events; answered once Kafka has acknowledged them. Idempotent by `event_id`.",
                _ref("EventsAnswer"),
                (_BAD, _LARGE, _BUSY),
                status="202",
                body=batch,
            )
        },
        "/v1/timelines/{user_id}": {
            "get": _operation("A user's last timeline.", _ref("RankResponse"), (_ABSENT,), path=("user_id",))
        },
        "/v1/features/{entity}/{entity_id}": {
            "get": _operation(
                "An entity's features as of now; ids of combined entities are joined by `|`.",
                _ref("EntityFeatures"),
                (_ABSENT,),
                path=("entity", "entity_id"),
            )
        },
        "/healthz": {"get": probe},
        "/readyz": {"get": probe},
    }


def _operation(
    summary: str,
    answer: dict[str, Any],
    errors: tuple[tuple[str, str], ...] = (),
    *,
    status: str = "200",
    body: dict[str, Any] | None = None,
    path: tuple[str, ...] = (),
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": summary,
        "responses": {
            status: {"description": "The answer.", "content": _json(answer)},
            **{code: {"description": why, "content": _json(_ref("RankError"))} for code, why in errors},
        },
    }
    if path:
        operation["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in path
        ]
    if body:
        operation["requestBody"] = {"required": True, "content": _json(body)}
    return operation


def _ref(name: str) -> dict[str, Any]:
    return {"$ref": _PREFIX + name}


def _array(of: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": of}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}

"""A rank request and its answer: the same JSON on `rank.requests`/`rank.responses` and over HTTP.

Fields that nobody declared are ignored. :func:`parse_request` is the whole contract: what it returns
is valid, everything else is a :class:`BadRequest` that names the field.
"""

import re
from typing import Annotated

import msgspec
from msgspec import Meta

from feature_store.schema.events import LATEST_TIME_MS, Id, TimeMs

MAX_LIMIT = 2_000
"""Longest answer that can be asked for."""

MAX_CANDIDATES = 2_000
"""Default of how many candidates a request may name."""

# Only published, as those of ids: in Python `$` would match before a newline at the end, too.
_SURFACE_PATTERN = "^[a-z0-9_-]{1,64}$"

Surface = Annotated[
    str,
    Meta(description="Where the timeline is shown.", extra_json_schema={"pattern": _SURFACE_PATTERN}),
]
Limit = Annotated[int, Meta(ge=0, le=MAX_LIMIT, description="Items wanted at most.")]


class RankRequest(msgspec.Struct, kw_only=True, omit_defaults=True, gc=False):
    """Who asks for a timeline, where, and of what.

    Attributes
    ----------
    event_time_ms : the moment to rank for, at most minutes ahead; absent: when the request arrives
    candidates : ids to rank, duplicates collapse and the first wins; absent: the surface's sources;
        empty: an empty answer
    client_id : echoed
    """

    request_id: Id
    user_id: Id
    event_time_ms: TimeMs | None = None
    surface: Surface = "home"
    candidates: list[Id] | None = None
    limit: Limit = 20
    client_id: Annotated[str, Meta(max_length=256)] | None = None


class RankedItem(msgspec.Struct, gc=False):
    """One item of the answer.

    Attributes
    ----------
    position : 0-based index in the slate
    score : published score, what the selector sorted by
    heads : predicted probability or quantity by head
    propensity : probability with which the policy put this item at this position
    source : who brought the candidate, e.g. ``request``, ``trending``
    """

    item_id: str
    position: int
    score: float
    heads: dict[str, float]
    propensity: float
    source: str


class ModelRef(msgspec.Struct, frozen=True):
    """The model that scored."""

    name: str
    version: str


class FeatureServiceRef(msgspec.Struct, frozen=True):
    """The ordered columns that the model read, with their fingerprint."""

    name: str
    fingerprint: str


class Assignment(msgspec.Struct, frozen=True):
    """Arm of one experiment, and the probability of having drawn it."""

    variant: str
    propensity: float


class RankResponse(msgspec.Struct, kw_only=True):
    """A ranked timeline, and everything needed to say later why.

    Attributes
    ----------
    assignments : by experiment
    overrides : overrides in force for this answer
    degraded : what the answer was made without
    latency_ms : from the request's arrival to the answer
    """

    request_id: str
    user_id: str
    surface: str
    items: list[RankedItem]
    model: ModelRef
    feature_service: FeatureServiceRef
    served_time_ms: int
    latency_ms: float
    assignments: dict[str, Assignment] = {}
    overrides: list[str] = []
    degraded: list[str] = []
    client_id: str | msgspec.UnsetType = msgspec.UNSET


class Problem(msgspec.Struct, frozen=True):
    """What was wrong: a code for programs, a message for people, the field at fault if there is one."""

    code: str
    message: str
    field: str | None = None


class RankError(msgspec.Struct, kw_only=True):
    """An error on `rank.responses`; over HTTP the same without ``request_id``."""

    error: Problem
    request_id: str | None = None
    client_id: str | msgspec.UnsetType = msgspec.UNSET


class BadRequest(ValueError):  # noqa: N818  (named as the status it becomes)
    """A request that cannot be answered.

    Attributes
    ----------
    problem : what to tell the caller; code ``malformed``, ``invalid`` or ``too_many_candidates``
    request_id : the caller's id, where it could be read
    """

    def __init__(self, problem: Problem, request_id: str | None = None) -> None:
        super().__init__(problem.message)
        self.problem = problem
        self.request_id = request_id


def parse_request(
    payload: bytes, max_candidates: int = MAX_CANDIDATES, latest_ms: int = LATEST_TIME_MS
) -> RankRequest:
    """The request in ``payload``.

    Parameters
    ----------
    latest_ms : the last moment that may be ranked for; every earlier one may be

    Raises
    ------
    BadRequest
        When it is not JSON, a field is missing, of another type or out of range, the surface is no
        name, an id holds ``|`` or a control character, there are more than ``max_candidates`` candidates, or
        the moment is after ``latest_ms``.
    """
    try:
        request = _decode(payload)
    except RecursionError:
        raise BadRequest(Problem("malformed", "nested too deeply")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise BadRequest(_explain(error), _request_id_of(payload)) from None
    problem = (
        _too_many(request, max_candidates)
        or _too_late(request, latest_ms)
        or _bad_surface(request)
        or _bad_id(payload, request)
    )
    if problem:
        raise BadRequest(problem, request.request_id)
    return request


class _Identified(msgspec.Struct):
    request_id: Id


_decode = msgspec.json.Decoder(RankRequest).decode
_decode_identified = msgspec.json.Decoder(_Identified).decode
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f|]")
_SURFACE = re.compile(r"[a-z0-9_-]{1,64}")
_FIELD = re.compile(r"`\$\.(\w+)|field `(\w+)`")


def _too_many(request: RankRequest, limit: int) -> Problem | None:
    named = len(request.candidates or ())
    if named <= limit:
        return None
    return Problem("too_many_candidates", f"{named} candidates; at most {limit}", "candidates")


def _too_late(request: RankRequest, latest_ms: int) -> Problem | None:
    time_ms = request.event_time_ms
    if time_ms is None or time_ms <= latest_ms:
        return None
    message = f"event_time_ms is {time_ms - latest_ms} ms after {latest_ms}, the last moment ranked for now"
    return Problem("invalid", message, "event_time_ms")


def _bad_surface(request: RankRequest) -> Problem | None:
    if _SURFACE.fullmatch(request.surface):
        return None
    return Problem(
        "invalid", f"surface {request.surface[:80]!r} is not of the form {_SURFACE.pattern}", "surface"
    )


def _bad_id(payload: bytes, request: RankRequest) -> Problem | None:
    # JSON has control characters only as escapes: most payloads are clean at one glance.
    if payload.isascii() and not (b"\\" in payload or b"|" in payload or b"\x7f" in payload):
        return None
    for field, ids in (
        ("request_id", [request.request_id]),
        ("user_id", [request.user_id]),
        ("candidates", request.candidates or []),
    ):
        found = _FORBIDDEN.search("".join(ids))
        if found:
            message = f"{field} holds {found.group()!r}; control characters and `|` are not allowed in ids"
            return Problem("invalid", message, field)
    return None


def _explain(error: Exception) -> Problem:
    if not isinstance(error, msgspec.ValidationError):
        return Problem("malformed", f"not JSON in UTF-8: {error}")
    found = _FIELD.search(str(error))
    return Problem("invalid", str(error), found and (found.group(1) or found.group(2)))


def _request_id_of(payload: bytes) -> str | None:
    try:
        request_id = _decode_identified(payload).request_id
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return None if _FORBIDDEN.search(request_id) else request_id

"""Events as producers write them to `events`: their types, and why one is refused.

Every refusal has a reason from :class:`Reason`, the field at fault and a message its producer can
act on. Fields that nobody declared are ignored. :func:`parse_events` is the whole contract except
what needs the log itself: time against the record's timestamp (:func:`judge_time`), duplicates, and
an item's creator.
"""

import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import Annotated, ClassVar

import msgspec
from msgspec import Meta

SCHEMA_VERSION = 1
"""Newest ``schema_version`` that this code reads."""

MAX_ID_CHARACTERS = 128
MAX_ATTRIBUTES = 64
MAX_ATTRIBUTE_VALUES = 64
MAX_ATTRIBUTES_BYTES = 64 * 1024
MAX_EVENT_BYTES = 11 * 1024 * 1024
"""Larger ones are refused: they would not fit a dead letter."""
MAX_NUMBER = 1e18
"""Models read float32, up to 3.4e38: sums of 2^53 such numbers fit, and so do their squares."""

LATEST_TIME_MS = 253_402_300_799_999
_MAX_MESSAGE_CHARACTERS = 500

# Patterns are only published: the decoder would try them on every id, parse_events does so on all at once.
_ID_PATTERN = r"^[^\u0000-\u001f\u007f-\u009f|]+$"
_ACTION_PATTERN = "^[a-z_]{1,32}$"

Id = Annotated[
    str,
    Meta(
        min_length=1,
        max_length=MAX_ID_CHARACTERS,
        description="No control characters and no `|`.",
        extra_json_schema={"pattern": _ID_PATTERN},
    ),
]
TimeMs = Annotated[int, Meta(ge=0, le=LATEST_TIME_MS, description="Milliseconds since the epoch, UTC.")]
Action = Annotated[
    str,
    Meta(
        description="What the user did: click, like, reply, dwell, hide, block_creator, unblock_creator, ...",
        extra_json_schema={"pattern": _ACTION_PATTERN},
    ),
]
AttributeName = Annotated[str, Meta(min_length=1, max_length=MAX_ID_CHARACTERS)]
Number = Annotated[float, Meta(ge=-MAX_NUMBER, le=MAX_NUMBER)]
AttributeValue = Number | str | Annotated[list[str], Meta(max_length=MAX_ATTRIBUTE_VALUES)]
Attributes = Annotated[
    dict[AttributeName, AttributeValue],
    Meta(max_length=MAX_ATTRIBUTES, description="At most 64 kB as compact JSON."),
]


class _Event(msgspec.Struct, gc=False, tag_field="type", omit_defaults=True, kw_only=True):
    """What a type of event lacks it has as a constant, so that events become columns without asking."""

    event_id: Id
    event_time_ms: TimeMs
    schema_version: Annotated[int, Meta(ge=1, le=SCHEMA_VERSION)] = 1


class ItemEvent(_Event, tag="item"):
    """An item as it is from now on; its creator never changes."""

    name: ClassVar[str] = "item"
    user_id: ClassVar[str] = ""
    value: ClassVar[float] = 1.0
    request_id: ClassVar[None] = None
    position: ClassVar[None] = None
    propensity: ClassVar[None] = None

    item_id: Id
    creator_id: Id | None = None
    expires_time_ms: TimeMs | None = None
    attributes: Attributes = {}


class ItemRemovedEvent(_Event, tag="item_removed"):
    """An item that must not be ranked any more.

    Ingest fills in ``creator_id`` and ``attributes`` before it forwards the event to `items`, so
    that what users still do with the item is joined as before.
    """

    name: ClassVar[str] = "item_removed"
    user_id: ClassVar[str] = ""
    value: ClassVar[float] = 1.0
    request_id: ClassVar[None] = None
    position: ClassVar[None] = None
    propensity: ClassVar[None] = None

    item_id: Id
    creator_id: Id | None = None
    attributes: Attributes = {}


class UserEvent(_Event, tag="user"):
    """A user's attributes as they are from now on."""

    name: ClassVar[str] = "user"
    item_id: ClassVar[str] = ""
    value: ClassVar[float] = 1.0
    request_id: ClassVar[None] = None
    position: ClassVar[None] = None
    propensity: ClassVar[None] = None

    user_id: Id
    attributes: Attributes = {}


class ImpressionEvent(_Event, tag="impression"):
    """An item was on the user's screen."""

    name: ClassVar[str] = "impression"
    value: ClassVar[float] = 1.0

    user_id: Id
    item_id: Id
    request_id: Id | None = None
    position: Annotated[int, Meta(ge=0, le=2**31 - 1)] | None = None
    propensity: Annotated[float, Meta(gt=0, le=1)] | None = None


class InteractionEvent(_Event, tag="interaction"):
    """The user did something with an item."""

    position: ClassVar[None] = None
    propensity: ClassVar[None] = None

    user_id: Id
    item_id: Id
    action: Action
    request_id: Id | None = None
    value: Number = 1.0


Event = ItemEvent | ItemRemovedEvent | UserEvent | ImpressionEvent | InteractionEvent


class Reason(StrEnum):
    """Why an event was refused: the ``reason`` header of a dead letter."""

    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNKNOWN_TYPE = "unknown_type"
    UNKNOWN_SCHEMA_VERSION = "unknown_schema_version"
    MISSING_FIELD = "missing_field"
    WRONG_TYPE = "wrong_type"
    OUT_OF_RANGE = "out_of_range"
    BAD_ID = "bad_id"
    BAD_ACTION = "bad_action"
    BAD_ATTRIBUTES = "bad_attributes"
    TIME_AHEAD = "time_ahead"
    TIME_BEHIND = "time_behind"
    CREATOR_CHANGED = "creator_changed"


class Refusal(msgspec.Struct, frozen=True):
    """Why an event was refused, and which field is at fault (empty: the event as a whole)."""

    reason: Reason
    field: str
    message: str


_decode = msgspec.json.Decoder(Event).decode
_encode = msgspec.json.Encoder().encode
_UNDECODABLE = (TypeError, ValueError, RecursionError)


def parse_events(payloads: Sequence[bytes | None]) -> list[Event | Refusal]:
    """Each payload as an event, or why it is none, in order; raises nothing.

    All are tried at once, and one by one only where that fails.
    """
    try:
        parsed = list(map(_decode, payloads))  # type: ignore[arg-type]
    except _UNDECODABLE:
        parsed = [_decode_or_refuse(payload) for payload in payloads]
    if _are_plain(payloads) and _actions_are_clean(parsed):
        return parsed
    return [
        event if type(event) is Refusal else _refuse(payload, event) or event
        for payload, event in zip(payloads, parsed, strict=True)
    ]


def parse_event(payload: bytes) -> Event | Refusal:
    """One event, or why it is none; raises nothing."""
    return parse_events([payload])[0]


def encode_event(event: Event) -> bytes:
    """The JSON of an event."""
    return _encode(event)


def key_of(event: Event) -> str:
    """Kafka key of an event on `events`: its user, or its item where there is no user."""
    return event.item_id if isinstance(event, ItemEvent | ItemRemovedEvent) else event.user_id


def judge_time(
    event_time_ms: int, record_time_ms: int, max_ahead_ms: int, max_behind_ms: int
) -> Refusal | None:
    """Whether an event's time is too far from its record's Kafka timestamp, all in ms."""
    ahead_ms = event_time_ms - record_time_ms
    if ahead_ms > max_ahead_ms:
        message = f"{ahead_ms} ms ahead of the time it was logged ({record_time_ms}); limit {max_ahead_ms} ms"
        return Refusal(Reason.TIME_AHEAD, "event_time_ms", message)
    if -ahead_ms > max_behind_ms:
        message = f"{-ahead_ms} ms behind the time it was logged ({record_time_ms}); limit {max_behind_ms} ms"
        return Refusal(Reason.TIME_BEHIND, "event_time_ms", message)
    return None


def _decode_or_refuse(payload: bytes | None) -> Event | Refusal:
    try:
        return _decode(payload)  # type: ignore[arg-type, no-any-return]
    except _UNDECODABLE as error:
        return _refuse_undecodable(payload, error)


def _refuse_undecodable(payload: bytes | None, error: Exception) -> Refusal:
    if not payload:
        return Refusal(Reason.MALFORMED, "", "the message is empty; expected one JSON event")
    if len(payload) > MAX_EVENT_BYTES:
        return _too_large(len(payload))
    message = str(error)[:_MAX_MESSAGE_CHARACTERS]
    if not isinstance(error, msgspec.ValidationError):
        return Refusal(Reason.MALFORMED, "", f"not a JSON object in UTF-8: {message}")
    field = _field_at_fault(str(error))
    return Refusal(_reason_of(field, message), field, message)


_MISSING = re.compile(r"missing required field `(\w+)`")
_PATH = re.compile(r"`\$\.(\w+)")


def _field_at_fault(message: str) -> str:
    found = _MISSING.search(message) or _PATH.search(message)
    return found.group(1) if found else ""


def _reason_of(field: str, message: str) -> Reason:
    """Classify msgspec's message, which is the only thing that says what is wrong."""
    if "missing required field" in message:
        return Reason.MISSING_FIELD
    if not field:
        return Reason.MALFORMED
    if field == "type":
        return Reason.UNKNOWN_TYPE
    if field == "schema_version":
        return Reason.UNKNOWN_SCHEMA_VERSION
    if field == "attributes":
        return Reason.BAD_ATTRIBUTES
    if "of length" in message:
        return Reason.BAD_ID
    if re.search(r"[<>]=? ?[-\d]|out of range", message):
        return Reason.OUT_OF_RANGE
    return Reason.WRONG_TYPE


_ID_FIELDS = ("event_id", "user_id", "item_id", "creator_id", "request_id")
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f|]")
_ACTION = re.compile(r"[a-z_]{1,32}")


def _are_plain(payloads: Sequence[bytes | None]) -> bool:
    """Whether these decodable payloads are too small and too simple to break a rule on size or ids.

    JSON has control characters below U+0020 only as escapes, so that a text without backslash,
    ``|``, DEL and non-ASCII characters has none at all. A no says nothing.
    """
    texts = list(filter(None, payloads))
    text = b"".join(texts)
    return (
        text.isascii()
        and not (b"\\" in text or b"|" in text or b"\x7f" in text)
        and len(max(texts, key=len, default=b"")) <= MAX_ATTRIBUTES_BYTES
    )


def _actions_are_clean(parsed: Iterable[Event | Refusal]) -> bool:
    actions = {event.action for event in parsed if type(event) is InteractionEvent}
    return all(map(_ACTION.fullmatch, actions))


def _refuse(payload: bytes | None, event: Event) -> Refusal | None:
    """What the decoder cannot see."""
    return _refuse_size(len(payload or b""), event) or _refuse_texts(event)


def _refuse_size(size: int, event: Event) -> Refusal | None:
    if size > MAX_EVENT_BYTES:
        return _too_large(size)
    attributes = getattr(event, "attributes", None)
    if size > MAX_ATTRIBUTES_BYTES and (taken := len(_encode(attributes))) > MAX_ATTRIBUTES_BYTES:
        message = f"attributes take {taken} bytes as JSON; at most {MAX_ATTRIBUTES_BYTES}"
        return Refusal(Reason.BAD_ATTRIBUTES, "attributes", message)
    return None


def _too_large(size: int) -> Refusal:
    return Refusal(Reason.TOO_LARGE, "", f"{size} bytes; an event has at most {MAX_EVENT_BYTES}")


def _refuse_texts(event: Event) -> Refusal | None:
    for field in _ID_FIELDS:
        found = _FORBIDDEN.search(getattr(event, field, None) or "")
        if found:
            message = f"{field} holds {found.group()!r}; control characters and `|` are not allowed in ids"
            return Refusal(Reason.BAD_ID, field, message)
    if isinstance(event, InteractionEvent) and not _ACTION.fullmatch(event.action):
        message = f"action {event.action[:64]!r} is not of the form [a-z_]{{1,32}}"
        return Refusal(Reason.BAD_ACTION, "action", message)
    return None

"""What goes back with a response as it came with the request: its key and its headers."""

from typing import cast

from confluent_kafka import Message

from feature_store.schema.requests import BadRequest, Problem
from feature_store.settings import MAX_MESSAGE_BYTES

MAX_ECHO_BYTES = MAX_MESSAGE_BYTES - 4 * 1024 * 1024
"""Of key and headers; the rest is room for the longest answer."""
_HEADER_BYTES = 16
"""What Kafka puts around a header, at most."""

Headers = list[tuple[str, str | bytes | None]]
Echo = tuple[bytes | None, Headers]


def echo_of(message: Message) -> Echo:
    """Key and headers of the response to ``message``: none where they leave no room for it."""
    return (None, []) if _bytes(message) > MAX_ECHO_BYTES else _echo(message)


def require_room(message: Message, request_id: str) -> None:
    """Raise :class:`BadRequest` where key and headers of ``message`` leave no room for a response."""
    size = _bytes(message)
    if size > MAX_ECHO_BYTES:
        told = f"key and headers have {size} bytes; at most {MAX_ECHO_BYTES} can go back with the answer"
        raise BadRequest(Problem("headers_too_large", told, "headers"), request_id)


def _echo(message: Message) -> Echo:
    return message.key(), cast(Headers, message.headers() or [])


def _bytes(message: Message) -> int:
    key, headers = _echo(message)
    around = sum(len(name.encode()) + len(value or b"") + _HEADER_BYTES for name, value in headers)
    return len(key or b"") + around

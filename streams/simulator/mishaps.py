"""What goes wrong at real producers: broken, misdated and repeated events."""

import itertools
import json
from collections.abc import Iterator

import numpy as np

_HOUR_MS = 3_600_000
_DAY_MS = 24 * _HOUR_MS

Fields = dict[str, object]


def mishaps(seed: int, now_ms: int) -> Iterator[tuple[bytes, str]]:
    """Messages for `events` that ingest must refuse or drop, without end, each with its key.

    In random order: cut off, without a field, with a text for a number, an id that contains the
    separator, an action in capitals, a type that nobody knows, an hour ahead, forty days old, and an
    event sent twice.
    """
    rng = np.random.default_rng([seed, 2])
    for number in itertools.count():
        kind = int(rng.integers(_KINDS))
        yield from _mishap(kind, _impression(number, now_ms))


_KINDS = 9


def _mishap(kind: int, good: Fields) -> list[tuple[bytes, str]]:
    payload = json.dumps(good).encode()
    wrong: list[list[bytes]] = [
        [payload[: len(payload) // 2]],
        [_with(good, item_id=None)],
        [_with(good, event_time_ms="yesterday")],
        [_with(good, item_id="item-1|item-2")],
        [_with(good, type="interaction", action="CLICK")],
        [_with(good, type="pageview")],
        [_with(good, event_time_ms=_time(good) + _HOUR_MS)],
        [_with(good, event_time_ms=_time(good) - 40 * _DAY_MS)],
        [payload, payload],
    ]
    return [(message, str(good["user_id"])) for message in wrong[kind]]


def _impression(number: int, now_ms: int) -> Fields:
    return {
        "type": "impression",
        "event_id": f"mishap-{number}",
        "event_time_ms": now_ms,
        "user_id": f"user-{number % 50}",
        "item_id": "item-0",
        "position": 0,
    }


def _with(good: Fields, **changes: object) -> bytes:
    """The event with some fields changed, and without those that become None."""
    changed = {name: value for name, value in {**good, **changes}.items() if value is not None}
    return json.dumps(changed).encode()


def _time(good: Fields) -> int:
    return int(str(good["event_time_ms"]))

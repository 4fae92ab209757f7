"""A small RankLens log, as its file has it."""

import json
from typing import Any

FIRST_MS = 1_636_993_834_000
ITEM_MS = 1_636_907_100_000


def item(name: str, **fields: Any) -> dict[str, Any]:
    return {
        "event": "item",
        "id": f"event-{name}",
        "item": name,
        "timestamp": str(ITEM_MS),
        "fields": [{"name": key, "value": value} for key, value in fields.items()],
    }


def ranking(name: str, user: str, seconds: int, items: list[str]) -> dict[str, Any]:
    return {
        "event": "ranking",
        "id": name,
        "user": user,
        "session": user,
        "timestamp": str(FIRST_MS + 1000 * seconds),
        "fields": [],
        "items": [{"id": one, "fields": [{"name": "relevancy", "value": 0.0}]} for one in items],
    }


def click(ranking_id: str, user: str, seconds: int, item_id: str) -> dict[str, Any]:
    return {
        "event": "interaction",
        "type": "click",
        "id": f"click-{ranking_id}-{item_id}",
        "item": item_id,
        "ranking": ranking_id,
        "user": user,
        "session": user,
        "timestamp": str(FIRST_MS + 1000 * seconds),
        "fields": [],
    }


SMALL = [
    item("a", title="A", popularity=1.5, genres=["drama"], director="ron howard"),
    item("b", title="B", popularity=3.0, genres=["comedy", "drama"], director=""),
    ranking("r1", "u1", 0, ["a", "b", "c"]),
    ranking("r2", "u2", 0, ["b", "a", "c"]),
    ranking("r3", "u1", 6, ["c", "b", "a"]),
    click("r1", "u1", 5, "b"),
    click("r3", "u1", 11, "c"),
]


def as_lines(events: list[dict[str, Any]]) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)

"""Events as producers send them, and what they must add up to, counted one by one."""

import json
import math
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from feature_store.aggregators import Count, DecayedSum
from feature_store.catalog import load_catalog
from feature_store.online import OnlineStore, RowsOf
from feature_store.online.rows import decode_rows
from feature_store.schema.ids import SEPARATOR, partition_of
from feature_store.views import Feature, FeatureView

USERS, ITEMS, CREATORS = 300, 120, 17
GENRES = ("drama", "comedy", "horror", "crime")
_ACTIONS = ("click", "like", "hide", "reply", "dwell", "block_creator")

Event = dict[str, object]


def item_events(now_ms: int) -> list[Event]:
    """The catalogue."""
    return [
        {
            "type": "item",
            "event_id": f"item-{n}",
            "event_time_ms": now_ms,
            "item_id": f"i{n}",
            "creator_id": f"c{n % CREATORS}",
            "attributes": {"genres": _genres(n), "popularity": float(n)},
        }
        for n in range(ITEMS)
    ]


def feedback_event(rng: random.Random, number: int, now_ms: int) -> Event:
    """An impression or an interaction, up to three days old."""
    event = {
        "event_id": f"e{number}",
        "event_time_ms": now_ms - rng.randrange(3 * 86_400_000),
        "user_id": f"u{rng.randrange(USERS)}",
        "item_id": f"i{rng.randrange(ITEMS)}",
    }
    if rng.random() < 0.3:
        return {"type": "interaction", **event, "action": rng.choice(_ACTIONS), "value": 1.0}
    return {"type": "impression", **event, "position": rng.randrange(20)}


def display_events(
    rng: random.Random, display: str, answer: Mapping[str, Any], time_ms: int
) -> Iterator[Event]:
    """An impression of each item of an answer, and clicks on some; ``display`` makes their ids unique."""
    for item in answer["items"]:
        event = {
            "event_time_ms": time_ms,
            "user_id": answer["user_id"],
            "item_id": item["item_id"],
            "request_id": answer["request_id"],
        }
        event_id = f"{display}-{item['item_id']}"
        yield {"type": "impression", "event_id": event_id, **event, "position": item["position"]}
        if rng.random() < 0.2:
            clicked = {"type": "interaction", "event_id": f"{event_id}-click"}
            yield {**clicked, **event, "action": "click", "value": 1.0}


def encode(event: Event) -> bytes:
    """As it goes to Kafka."""
    return json.dumps(event).encode()


class Tally:
    """What happened to each entity, kept event by event."""

    def __init__(self) -> None:
        self._times: dict[tuple[str, str], dict[str, list[int]]] = defaultdict(lambda: defaultdict(list))

    def add(self, event: Event) -> None:
        """Note an event that is valid and no duplicate."""
        user, item = str(event["user_id"]), str(event["item_id"])
        name = str(event["type"]) if event["type"] == "impression" else f"interaction/{event['action']}"
        for entity in load_catalog().entities:
            for entity_id in _ids(entity, user, item):
                self._times[entity, entity_id][name].append(int(str(event["event_time_ms"])))

    def differences(self, store: OnlineStore, partitions: int, now_ms: int) -> Iterator[str]:
        """Every all-time count, and every decayed sum beyond rounding, that the rows have otherwise."""
        for view in load_catalog().views:
            ids = sorted(entity_id for entity, entity_id in self._times if entity == view.entity)
            places = [partition_of(entity_id, partitions) for entity_id in ids]
            (stored,) = store.read([RowsOf(view.fingerprint, ids, places)])
            values = view.finalize(decode_rows(view, stored), now_ms)
            yield from self._differences(view, ids, values, now_ms)

    def counters(self) -> int:
        """How many all-time counters are compared."""
        counts = {
            view.entity: sum(isinstance(f.source, Count) for f in view.features)
            for view in load_catalog().views
        }
        return sum(counts[entity] for entity, _ in self._times)

    def _differences(
        self, view: FeatureView, ids: Sequence[str], values: np.ndarray, now_ms: int
    ) -> Iterator[str]:
        for column, feature in _compared(view):
            for row, entity_id in enumerate(ids):
                expected, tolerance = _expected(feature, self._times[view.entity, entity_id], now_ms)
                if not math.isclose(values[row, column], expected, rel_tol=tolerance, abs_tol=0.0):
                    yield f"{view.name}.{feature.name} of {entity_id}: {values[row, column]}, not {expected}"


def _compared(view: FeatureView) -> list[tuple[int, Feature]]:
    """Columns that an oracle knows."""
    return [(n, f) for n, f in enumerate(view.features) if isinstance(f.source, Count | DecayedSum)]


def _expected(feature: Feature, times_ms: dict[str, list[int]], now_ms: int) -> tuple[float, float]:
    """What a feature must be, and the relative error allowed."""
    source = feature.source
    if isinstance(source, Count):
        return len(times_ms[source.event]), 0.0
    assert isinstance(source, DecayedSum)
    weights = (2.0 ** ((time_ms - now_ms) / source.half_life_ms) for time_ms in times_ms[source.event])
    return math.fsum(weights), 1e-9


def _genres(item: int) -> list[str]:
    return [GENRES[item % 4], GENRES[(item + 1) % 4]][: 1 + item % 2]


def _ids(entity: str, user: str, item: str) -> list[str]:
    number = int(item[1:])
    known = {"user": [user], "item": [item], "creator": [f"c{number % CREATORS}"], "genres": _genres(number)}
    first, _, second = entity.partition(SEPARATOR)
    return [f"{user}|{value}" for value in known.get(second, ())] if second else known[first]

"""What each aggregator means, over a plain list of events: slow, obvious, independent of the real code."""

import math
from dataclasses import dataclass

DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Event:
    """One event of one entity, in log order."""

    entity: int
    name: str
    event_time_ms: int
    value: float
    column: float


def count(events: list[Event], name: str) -> float:
    return float(sum(1 for event in events if event.name == name))


def total(events: list[Event], name: str) -> float:
    return math.fsum(event.value for event in events if event.name == name)


def decayed_sum(events: list[Event], name: str, half_life_s: int, of_value: bool, now_ms: int) -> float:
    return math.fsum(
        (event.value if of_value else 1.0) * 2.0 ** ((event.event_time_ms - now_ms) / (1000 * half_life_s))
        for event in events
        if event.name == name
    )


def pane_window(events: list[Event], name: str, pane_s: int, panes: int, now_ms: int) -> float:
    """Events in the last panes, as they are kept: what was too old when a newer one came is forgotten."""
    times = [event.event_time_ms // (pane_s * 1000) for event in events if event.name == name]
    newest, oldest = max(times, default=0), now_ms // (pane_s * 1000) - panes
    return float(sum(1 for time in times if time > oldest and time > newest - panes))


def last_value(events: list[Event], name: str) -> float:
    found = [(e.event_time_ms, e.column) for e in events if e.name == name and not math.isnan(e.column)]
    return max(found)[1] if found else math.nan


def age(events: list[Event], name: str, now_ms: int) -> float:
    times = [event.event_time_ms for event in events if event.name == name]
    return max(now_ms - max(times), 0) / 1000 if times else math.nan


def recent(events: list[Event], name: str, k: int) -> list[float]:
    return [e.column for e in events if e.name == name and not math.isnan(e.column)][-k:]


def held(events: list[Event], add: str, remove: str, k: int) -> list[float]:
    kept: list[float] = []
    for event in events:
        if event.name in (add, remove) and not math.isnan(event.column):
            kept = [one for one in kept if one != event.column]
            kept = [*kept, event.column][-k:] if event.name == add else kept
    return kept

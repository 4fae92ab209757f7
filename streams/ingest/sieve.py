"""Sorts the records of a partition: accepted, duplicate or refused, exactly one of the three."""

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np

from feature_store.items import CreatorChanged, ItemRecord, ItemTable
from feature_store.items.table import completed
from feature_store.schema.events import (
    Event,
    ItemEvent,
    ItemRemovedEvent,
    Reason,
    Refusal,
    judge_time,
    parse_events,
)
from streams.ingest.duplicates import DuplicateWindow
from streams.ingest.records import Run

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class TimeLimits:
    """How far an event's time may be from its record's, ms."""

    max_ahead_ms: int
    max_behind_ms: int


@dataclass(slots=True)
class Sifted:
    """What became of one run.

    Attributes
    ----------
    run : the records
    events, offsets : those accepted
    refused : index in the run and why
    duplicates : how many were duplicates
    items : item events to forward to `items`
    """

    run: Run
    events: list[Event] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    refused: list[tuple[int, Refusal]] = field(default_factory=list)
    duplicates: int = 0
    items: list[ItemEvent | ItemRemovedEvent] = field(default_factory=list)


class Sieve:
    """Judges the records of one partition, in order.

    Parameters
    ----------
    limits : on the time of events
    window : the ids that occurred before
    table : item events that are accepted are applied to it
    emit_from : records at earlier offsets only fill the window; they were emitted before
    """

    def __init__(self, limits: TimeLimits, window: DuplicateWindow, table: ItemTable, emit_from: int) -> None:
        self._limits = limits
        self._window = window
        self._table = table
        self._emit_from = emit_from

    def sift(self, run: Run) -> Sifted:
        """Judge the records of a run, which follows the one before."""
        sifted = Sifted(run)
        parsed = self._judge_times(run, parse_events(run.values))
        start = 0
        for i in _item_events(parsed):
            self._sift_stretch(sifted, parsed, range(start, i))
            self._sift_item(sifted, parsed, i)
            start = i + 1
        self._sift_stretch(sifted, parsed, range(start, len(parsed)))
        if run.offsets[0] < self._emit_from:
            sifted.refused = [
                refused for refused in sifted.refused if run.offsets[refused[0]] >= self._emit_from
            ]
        return sifted

    def _judge_times(self, run: Run, parsed: list[Event | Refusal]) -> list[Event | Refusal]:
        logged = np.array(run.times_ms, np.int64)
        times = [
            logged_ms if type(event) is Refusal else event.event_time_ms  # type: ignore[union-attr]
            for event, logged_ms in zip(parsed, run.times_ms, strict=True)
        ]
        ahead = np.array(times, np.int64) - logged
        limits = self._limits
        for i in np.flatnonzero((ahead > limits.max_ahead_ms) | (-ahead > limits.max_behind_ms)).tolist():
            judged = judge_time(times[i], run.times_ms[i], limits.max_ahead_ms, limits.max_behind_ms)
            parsed[i] = judged or parsed[i]
        return parsed

    def _sift_stretch(self, sifted: Sifted, parsed: list[Event | Refusal], stretch: range) -> None:
        """De-duplicate events, none of them an item's, all at once."""
        part = slice(stretch.start, stretch.stop)
        events, offsets = parsed[part], sifted.run.offsets[part]
        if Refusal in set(map(type, events)):
            refused = [i for i in stretch if type(parsed[i]) is Refusal]
            sifted.refused.extend((i, cast(Refusal, parsed[i])) for i in refused)
            events, offsets = _without(events, refused, part), _without(offsets, refused, part)
        self._accept(sifted, cast(list[Event], events), offsets)

    def _sift_item(self, sifted: Sifted, parsed: list[Event | Refusal], i: int) -> None:
        """Judge an item event against the table and, if it is new, apply it."""
        event = cast(ItemEvent | ItemRemovedEvent, parsed[i])
        try:
            self._table.check(event)
        except CreatorChanged as error:
            sifted.refused.append((i, Refusal(Reason.CREATOR_CHANGED, "creator_id", str(error))))
            return
        if self._accept(sifted, [event], [sifted.run.offsets[i]]) and self._table.apply(event):
            sifted.items.append(completed(event, cast(ItemRecord, self._table.get(event.item_id))))

    def _accept(self, sifted: Sifted, events: list[Event], offsets: list[int]) -> bool:
        """Take in valid events but for duplicates and what was emitted before; whether any was taken."""
        repeated = self._window.admit(offsets, [event.event_id for event in events])
        old = bisect_left(offsets, self._emit_from)
        if repeated or old:
            sifted.duplicates += len(repeated) - bisect_left(repeated, old)
            dropped = {*repeated, *range(old)}
            kept = [i for i in range(len(events)) if i not in dropped]
            events, offsets = [events[i] for i in kept], [offsets[i] for i in kept]
        sifted.events.extend(events)
        sifted.offsets.extend(offsets)
        return bool(events)


def _without(values: list[T], indices: list[int], part: slice) -> list[T]:
    """The values of ``part`` of a run but for those at some indices of the run."""
    left_out = {i - part.start for i in indices}
    return [value for i, value in enumerate(values) if i not in left_out]


def _item_events(parsed: list[Event | Refusal]) -> list[int]:
    kinds = list(map(type, parsed))
    if ItemEvent not in kinds and ItemRemovedEvent not in kinds:
        return []
    return [i for i, kind in enumerate(kinds) if kind is ItemEvent or kind is ItemRemovedEvent]

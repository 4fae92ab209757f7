"""Sorts the records of a partition: accepted, duplicate or refused, exactly one of the three."""

from bisect import bisect_left
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import TypeVar, cast

import numpy as np

from feature_store.items import CreatorChanged, ItemTable
from feature_store.items.table import as_event
from feature_store.schema.events import (
    Event,
    ItemEvent,
    ItemRemovedEvent,
    Reason,
    Refusal,
    judge_time,
    parse_events,
)
from streams.ingest.accepted import Accepted
from streams.ingest.duplicates import DuplicateWindow
from streams.ingest.records import Run

T = TypeVar("T")

_BLOCK = 512
"""Records decoded and made into columns before the next ones are: their objects fit a processor's cache."""


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
    accepted : the events to emit
    refused : index in the run and why
    duplicates : how many were duplicates
    items : what item events left of their items, to forward to `items`
    """

    run: Run
    accepted: Accepted = field(default_factory=Accepted)
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
        for first in range(0, len(run), _BLOCK):
            self._sift_block(sifted, first)
        if run.offsets[0] < self._emit_from:
            sifted.refused = [
                refused for refused in sifted.refused if run.offsets[refused[0]] >= self._emit_from
            ]
        return sifted

    def _sift_block(self, sifted: Sifted, first: int) -> None:
        """Judge the records of a block that begins at ``first``, in stretches between item events."""
        block = slice(first, first + _BLOCK)
        parsed = self._judge_times(sifted.run.times_ms[block], parse_events(sifted.run.values[block]))
        start = 0
        for i in _item_events(parsed):
            self._sift_stretch(sifted, parsed[start:i], first + start)
            self._sift_item(sifted, cast(ItemEvent | ItemRemovedEvent, parsed[i]), first + i)
            start = i + 1
        self._sift_stretch(sifted, parsed[start:], first + start)

    def _judge_times(self, logged_ms: list[int], parsed: list[Event | Refusal]) -> list[Event | Refusal]:
        times = [
            logged if type(event) is Refusal else event.event_time_ms  # type: ignore[union-attr]
            for event, logged in zip(parsed, logged_ms, strict=True)
        ]
        ahead = np.array(times, np.int64) - np.array(logged_ms, np.int64)
        limits = self._limits
        for i in np.flatnonzero((ahead > limits.max_ahead_ms) | (-ahead > limits.max_behind_ms)).tolist():
            judged = judge_time(times[i], logged_ms[i], limits.max_ahead_ms, limits.max_behind_ms)
            parsed[i] = judged or parsed[i]
        return parsed

    def _sift_stretch(self, sifted: Sifted, parsed: list[Event | Refusal], first: int) -> None:
        """De-duplicate events, none of them an item's, all at once; the first is at ``first`` in the run."""
        offsets = sifted.run.offsets[first : first + len(parsed)]
        refused = _refusals(parsed)
        if refused:
            sifted.refused.extend((first + i, refusal) for i, refusal in refused.items())
            parsed, offsets = _without(parsed, refused), _without(offsets, refused)
        self._accept(sifted, cast(list[Event], parsed), offsets)

    def _sift_item(self, sifted: Sifted, event: ItemEvent | ItemRemovedEvent, i: int) -> None:
        """Judge an item event against the table and, if it is new, apply it."""
        try:
            self._table.check(event)
        except CreatorChanged as error:
            sifted.refused.append((i, Refusal(Reason.CREATOR_CHANGED, "creator_id", str(error))))
            return
        if self._accept(sifted, [event], [sifted.run.offsets[i]]) and (record := self._table.apply(event)):
            sifted.items.append(as_event(record, event.event_id))

    def _accept(self, sifted: Sifted, events: Sequence[Event], offsets: list[int]) -> bool:
        """Take in valid events but for duplicates and what was emitted before; whether any was taken."""
        repeated = self._window.admit(offsets, [event.event_id for event in events])
        old = bisect_left(offsets, self._emit_from)
        if repeated or old:
            sifted.duplicates += len(repeated) - bisect_left(repeated, old)
            dropped = {*repeated, *range(old)}
            events, offsets = _without(events, dropped), _without(offsets, dropped)
        sifted.accepted.extend(events, offsets)
        return bool(events)


def _without(values: Sequence[T], indices: Container[int]) -> list[T]:
    """The values but for those at some indices."""
    return [value for i, value in enumerate(values) if i not in indices]


def _refusals(parsed: list[Event | Refusal]) -> dict[int, Refusal]:
    if Refusal not in set(map(type, parsed)):
        return {}
    return {i: refused for i, refused in enumerate(parsed) if isinstance(refused, Refusal)}


def _item_events(parsed: list[Event | Refusal]) -> list[int]:
    kinds = list(map(type, parsed))
    if ItemEvent not in kinds and ItemRemovedEvent not in kinds:
        return []
    return [i for i, kind in enumerate(kinds) if kind is ItemEvent or kind is ItemRemovedEvent]

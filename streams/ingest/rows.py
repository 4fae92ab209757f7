"""Accepted events of one step as columns, in log order of each source partition."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from feature_store.schema.events import (
    Attributes,
    Event,
    ImpressionEvent,
    InteractionEvent,
    ItemEvent,
    ItemRemovedEvent,
    UserEvent,
)
from streams.ingest.item_columns import ItemColumns
from streams.ingest.registry import Registry
from streams.ingest.sieve import Sifted

Feedback = ImpressionEvent | InteractionEvent

_INTERACTION = "interaction/"
_OWNERS = frozenset({UserEvent, ItemEvent, ItemRemovedEvent})
_NAMES: dict[type, str] = {
    kind: kind.name for kind in (ItemEvent, ItemRemovedEvent, UserEvent, ImpressionEvent)
}


@dataclass(frozen=True, slots=True)
class EventRows:
    """Columns of n events; 0 is the code of *none*.

    Attributes
    ----------
    event_names, event : names and (n,) int32 codes of them
    user : (n,) codes of users
    item : (n,) rows of `ItemColumns`
    event_time_ms, value, source_partition, source_offset : (n,), as in a batch
    own_attributes : row and attributes of the events that carry attributes themselves
    feedback : (m,) rows that are impressions and interactions
    feedback_events : (m,) these
    """

    event_names: list[str]
    event: NDArray[np.int32]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    event_time_ms: NDArray[np.int64]
    value: NDArray[np.float64]
    source_partition: NDArray[np.int32]
    source_offset: NDArray[np.int64]
    own_attributes: list[tuple[int, Attributes]]
    feedback: NDArray[np.int64]
    feedback_events: list[Feedback]

    def __len__(self) -> int:
        return len(self.event_time_ms)


def event_rows(sifted: Sequence[Sifted], users: Registry, items: ItemColumns) -> EventRows:
    """The accepted events of several runs as columns; ``items`` lends rows to items it does not know."""
    events: list[Event] = [event for part in sifted for event in part.events]
    n = len(events)
    kinds = list(map(type, events))
    names, codes = _event_codes(events, kinds)
    feedback, feedback_events = _feedback(events, kinds)
    return EventRows(
        event_names=names,
        event=codes,
        user=users.codes([event.user_id for event in events]),
        item=items.rows([event.item_id for event in events]),
        event_time_ms=np.fromiter([event.event_time_ms for event in events], np.int64, n),
        value=np.fromiter([event.value for event in events], np.float64, n),
        source_partition=np.repeat(
            np.array([part.run.partition for part in sifted], np.int32),
            [len(part.events) for part in sifted],
        ),
        source_offset=np.concatenate([np.array(part.offsets, np.int64) for part in sifted]),
        own_attributes=_own_attributes(events, kinds),
        feedback=feedback,
        feedback_events=feedback_events,
    )


def _event_codes(events: list[Event], kinds: list[type]) -> tuple[list[str], NDArray[np.int32]]:
    names = [
        event.action if kind is InteractionEvent else kind  # type: ignore[union-attr]
        for event, kind in zip(events, kinds, strict=True)
    ]
    code = {name: i for i, name in enumerate(dict.fromkeys(names))}
    texts = [_INTERACTION + name if isinstance(name, str) else _NAMES[name] for name in code]
    return texts, np.fromiter(map(code.__getitem__, names), np.int32, len(names))


def _own_attributes(events: list[Event], kinds: list[type]) -> list[tuple[int, Attributes]]:
    if _OWNERS.isdisjoint(kinds):
        return []
    return [
        (i, event.attributes)  # type: ignore[union-attr]
        for i, (event, kind) in enumerate(zip(events, kinds, strict=True))
        if kind in _OWNERS
    ]


def _feedback(events: list[Event], kinds: list[type]) -> tuple[NDArray[np.int64], list[Feedback]]:
    if _OWNERS.isdisjoint(kinds):
        return np.arange(len(events)), cast(list[Feedback], events)
    index = [i for i, kind in enumerate(kinds) if kind not in _OWNERS]
    return np.array(index, np.int64), cast(list[Feedback], [events[i] for i in index])

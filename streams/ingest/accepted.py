"""Accepted events of a partition as columns, filled block by block."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from feature_store.schema.events import (
    Attributes,
    Event,
    InteractionEvent,
    ItemEvent,
    ItemRemovedEvent,
    UserEvent,
)

EventKind = type[Event] | str
"""The type of an event; of an interaction its action."""

OWNERS = frozenset({UserEvent, ItemEvent, ItemRemovedEvent})
"""Types of events that carry attributes; all others are feedback."""


@dataclass(slots=True)
class Accepted:
    """Columns of n events in log order.

    Attributes
    ----------
    offsets : where in the partition they are
    kinds, user_id, item_id, event_time_ms, value, request_id, position, propensity : of each
    own_attributes : row and attributes of the events that carry attributes themselves
    types : how many there are of each type
    """

    offsets: list[int] = field(default_factory=list)
    kinds: list[EventKind] = field(default_factory=list)
    user_id: list[str] = field(default_factory=list)
    item_id: list[str] = field(default_factory=list)
    event_time_ms: list[int] = field(default_factory=list)
    value: list[float] = field(default_factory=list)
    request_id: list[str | None] = field(default_factory=list)
    position: list[int | None] = field(default_factory=list)
    propensity: list[float | None] = field(default_factory=list)
    own_attributes: list[tuple[int, Attributes]] = field(default_factory=list)
    types: Counter[type[Event]] = field(default_factory=Counter)

    def __len__(self) -> int:
        return len(self.offsets)

    def extend(self, events: Sequence[Event], offsets: Sequence[int]) -> None:
        """Add events that follow those added before."""
        types = list(map(type, events))
        if not OWNERS.isdisjoint(types):
            self._add_own_attributes(events)
        self.types.update(types)
        self.offsets += offsets
        self.kinds += [event.action if type(event) is InteractionEvent else type(event) for event in events]
        self.user_id += [event.user_id for event in events]
        self.item_id += [event.item_id for event in events]
        self.event_time_ms += [event.event_time_ms for event in events]
        self.value += [event.value for event in events]
        self.request_id += [event.request_id for event in events]
        self.position += [event.position for event in events]
        self.propensity += [event.propensity for event in events]

    def _add_own_attributes(self, events: Sequence[Event]) -> None:
        self.own_attributes += [
            (row, event.attributes)
            for row, event in enumerate(events, len(self))
            if isinstance(event, UserEvent | ItemEvent | ItemRemovedEvent)
        ]

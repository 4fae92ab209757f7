"""The latest event of each item, in memory."""

import threading
from collections.abc import Callable, Iterator

import msgspec

from feature_store.schema.events import AttributeValue, ItemEvent, ItemRemovedEvent


class CreatorChanged(ValueError):  # noqa: N818  (a state of the world, named for what happened)
    """An event names another creator for an item than the one it always had."""


class ItemRecord(msgspec.Struct, frozen=True, gc=False):
    """What is known of an item; ``removed`` items keep it, for what users still do with them."""

    item_id: str
    creator_id: str | None
    event_time_ms: int
    expires_time_ms: int | None = None
    removed: bool = False
    attributes: dict[str, AttributeValue] = {}


OnChange = Callable[[ItemRecord], None]


class ItemTable:
    """Items by id. Writers take turns; readers need no lock and see whole records.

    The latest event is the one with the largest ``event_time_ms``, of equal ones the one applied
    last. A creator, once known, stays: an event that names none keeps it, and an older one that
    names it adds it to what is known.
    """

    def __init__(self) -> None:
        self._records: dict[str, ItemRecord] = {}
        self._listeners: list[OnChange] = []
        self._lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._records)

    def __iter__(self) -> Iterator[ItemRecord]:
        return iter(list(self._records.values()))

    def get(self, item_id: str) -> ItemRecord | None:
        """The item's record, None if nobody has announced it."""
        return self._records.get(item_id)

    def creator_of(self, item_id: str) -> str | None:
        """The item's creator, None if it is unknown."""
        record = self._records.get(item_id)
        return record.creator_id if record else None

    def check(self, event: ItemEvent | ItemRemovedEvent) -> None:
        """Refuse an event that changes an item's creator.

        Raises
        ------
        CreatorChanged
            When it names another creator than the known one.
        """
        known = self.creator_of(event.item_id)
        if known is not None and event.creator_id is not None and event.creator_id != known:
            raise CreatorChanged(
                f"item {event.item_id} has creator {known} and keeps it; the event names {event.creator_id}"
            )

    def apply(self, event: ItemEvent | ItemRemovedEvent) -> ItemRecord | None:
        """Take in an event; the record after it, None where a later one is known and nothing changed.

        Raises
        ------
        CreatorChanged
            When it names another creator than the known one; nothing changed.
        """
        with self._lock:
            self.check(event)
            before = self._records.get(event.item_id)
            record = _record_after(before, event)
            if record is before:
                return None
            self._records[event.item_id] = record
            for listener in self._listeners:
                listener(record)
            return record

    def subscribe(self, listener: OnChange) -> None:
        """Call ``listener`` with every record there is, then with each one that changes.

        It runs on the writer's thread and must be quick.
        """
        with self._lock:
            for record in self._records.values():
                listener(record)
            self._listeners.append(listener)


def _record_after(before: ItemRecord | None, event: ItemEvent | ItemRemovedEvent) -> ItemRecord:
    if before is not None and before.event_time_ms > event.event_time_ms:
        return _with_creator(before, event.creator_id)
    removed = isinstance(event, ItemRemovedEvent)
    return ItemRecord(
        item_id=event.item_id,
        creator_id=event.creator_id or (before.creator_id if before else None),
        event_time_ms=event.event_time_ms,
        expires_time_ms=None if isinstance(event, ItemRemovedEvent) else event.expires_time_ms,
        removed=removed,
        attributes=event.attributes or (before.attributes if before and removed else {}),
    )


def _with_creator(record: ItemRecord, creator_id: str | None) -> ItemRecord:
    """The record with a creator that it did not have yet; else the record itself."""
    if creator_id is None or record.creator_id is not None:
        return record
    return msgspec.structs.replace(record, creator_id=creator_id)


def as_event(record: ItemRecord, event_id: str) -> ItemEvent | ItemRemovedEvent:
    """The event that says all of a record, as `items` keeps it.

    A table built from these alone, the last of each item, equals one that saw every event.
    """
    if record.removed:
        return ItemRemovedEvent(
            event_id=event_id,
            event_time_ms=record.event_time_ms,
            item_id=record.item_id,
            creator_id=record.creator_id,
            attributes=record.attributes,
        )
    return ItemEvent(
        event_id=event_id,
        event_time_ms=record.event_time_ms,
        item_id=record.item_id,
        creator_id=record.creator_id,
        expires_time_ms=record.expires_time_ms,
        attributes=record.attributes,
    )

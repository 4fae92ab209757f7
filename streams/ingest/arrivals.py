"""Waits, for a bounded time, for items that another ingest worker is about to announce.

Workers of one group read different partitions of `events`: an impression may reach one of them before
another has forwarded the item event that was appended earlier. Each worker forwards its own item
events before it waits, so two workers that wait for each other go on at once.
"""

import threading
from collections.abc import Callable, Collection

from feature_store.clock import Clock
from feature_store.items import ItemRecord, ItemTable

_TURN_S = 0.05
_BACK_OFF = 10


class ItemArrivals:
    """Knows which items are still missing.

    Parameters
    ----------
    table : written by the follower of `items` meanwhile
    wait_ms : longest wait; after one in vain there is none for ten times as long, so that items that
        nobody ever announces cost a tenth of the throughput at most
    clock : its monotonic time is used
    waiting : called at every turn
    """

    def __init__(self, table: ItemTable, wait_ms: int, clock: Clock, waiting: Callable[[], None]) -> None:
        self._table = table
        self._wait_ns = wait_ms * 1_000_000
        self._clock = clock
        self._waiting = waiting
        self._changed = threading.Event()
        self._not_before_ns = 0
        table.subscribe(self._came)

    def wait_for(self, item_ids: Collection[str]) -> None:
        """Return when the table knows every item, or when the time is over."""
        began_ns = self._clock.monotonic_ns()
        missing = self._missing(item_ids)
        while missing and began_ns >= self._not_before_ns:
            self._waiting()
            if self._clock.monotonic_ns() - began_ns >= self._wait_ns:
                self._not_before_ns = self._clock.monotonic_ns() + _BACK_OFF * self._wait_ns
                return
            self._changed.wait(_TURN_S)
            self._changed.clear()
            missing = self._missing(missing)

    def _missing(self, item_ids: Collection[str]) -> list[str]:
        return [item_id for item_id in item_ids if self._table.get(item_id) is None]

    def _came(self, _: ItemRecord) -> None:
        self._changed.set()

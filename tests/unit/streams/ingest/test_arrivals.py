"""Waiting for items that another worker announces: as long as it helps, never for ever."""

from feature_store.clock import ManualClock
from feature_store.items import ItemTable
from feature_store.schema.events import ItemEvent
from streams.ingest.arrivals import ItemArrivals

WAIT_MS = 100


class World:
    """A table, and a clock that moves at every turn of the wait; items come at the turns named."""

    def __init__(self, comes_at: dict[int, str]) -> None:
        self.clock, self.table, self.turns = ManualClock(), ItemTable(), 0
        self._comes_at = comes_at
        self.arrivals = ItemArrivals(self.table, WAIT_MS, self.clock, waiting=self._turn)

    def _turn(self) -> None:
        self.turns += 1
        self.clock.advance(10)
        if item_id := self._comes_at.get(self.turns):
            self.table.apply(ItemEvent(event_id=item_id, event_time_ms=1, item_id=item_id))


def test_known_items_are_not_waited_for() -> None:
    world = World({})
    world.table.apply(ItemEvent(event_id="e", event_time_ms=1, item_id="i1"))
    world.arrivals.wait_for({"i1"})
    assert world.turns == 0


def test_the_wait_ends_when_the_last_item_has_come() -> None:
    world = World({2: "i1", 4: "i2"})
    world.arrivals.wait_for({"i1", "i2"})
    assert world.turns == 4


def test_a_wait_in_vain_is_not_repeated_for_ten_times_as_long() -> None:
    world = World({})
    world.arrivals.wait_for({"stranger"})
    waited = world.turns
    assert waited == WAIT_MS // 10
    world.arrivals.wait_for({"stranger"})
    assert world.turns == waited
    world.clock.advance(10 * WAIT_MS)
    world.arrivals.wait_for({"stranger"})
    assert world.turns == 2 * waited

"""A store that hangs costs a few requests some of their time, and no request its deadline."""

from collections.abc import Sequence
from contextlib import AbstractContextManager

import pytest

from feature_store.clock import ManualClock
from feature_store.fetcher import RowFetcher
from feature_store.online.base import Ask, RowsFound, RowsOf, TimeLeft, asking_at_once, unhurried
from ranker.hydrators.guarded import Guarded
from ranker.hydrators.rows import RowHydrator
from ranker.pipeline.breaker import Breaker
from tests.unit.ranker.world import CATALOG, PARTITIONS, SERVICE, World, answered

TIMEOUT_MS = 200.0
LATE = ("features_late", "scored_by_input_order")
LEFT_ALONE = ("features_unavailable", "scored_by_input_order")


class HungStore:
    """Answers nobody: whoever asks waits as long as they can, until it is mended."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.waited_ms: list[float] = []
        self.hangs = True

    def asking(self, left_ms: TimeLeft = unhurried) -> AbstractContextManager[Ask]:
        def read(wanted: Sequence[RowsOf]) -> RowsFound:
            if not self.hangs:
                return self._world.store.read(wanted)
            self.waited_ms.append(left_ms())
            self._world.clock.advance(int(left_ms()))
            raise TimeoutError("no answer")

        return asking_at_once(read, left_ms)


@pytest.fixture
def world() -> World:
    made = World(clock=ManualClock())
    made.announce(4)
    return made


@pytest.fixture
def store(world: World) -> HungStore:
    store = HungStore(world)
    rows = RowHydrator(CATALOG, SERVICE, world.items, RowFetcher(store), PARTITIONS, timeout_ms=TIMEOUT_MS)
    world.hydrator = Guarded(rows, Breaker(world.clock))
    return store


def rank(world: World, waited_ms: int = 0):
    query = world.query(["i2", "i0"])
    world.clock.advance(waited_ms)
    return world.pipeline().rank(query)


def test_a_read_takes_what_the_deadline_leaves_and_its_own_timeout_at_most(world, store):
    for waited_ms in (0, 300, 420):
        assert rank(world, waited_ms).degraded == LATE
    assert store.waited_ms == [200.0, 200.0, 80.0]


def test_a_request_that_waited_too_long_is_answered_without_asking(world, store):
    for _ in range(5):
        assert rank(world, 500).degraded == LATE
    assert store.waited_ms == []
    store.hangs = False
    assert rank(world).degraded == ()  # the store is not to blame


def test_a_hung_store_costs_a_few_requests_and_not_all(world, store):
    outcomes = [rank(world) for _ in range(40)]
    assert [outcome.degraded for outcome in outcomes] == [LATE] * 3 + [LEFT_ALONE] * 37
    assert len(store.waited_ms) == 3
    assert all(answered(outcome) == ["i2", "i0"] for outcome in outcomes)


def test_rows_are_read_again_soon_after_the_store_is_mended(world, store):
    for _ in range(4):
        rank(world)
    store.hangs = False
    world.clock.advance(500)
    assert [rank(world).degraded for _ in range(2)] == [(), ()]

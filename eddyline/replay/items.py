"""Waits until the ranker knows the items that were announced."""

from collections.abc import Callable, Iterable

from eddyline.clients.metrics import read_metric
from feature_store.clock import Clock
from feature_store.items import ItemsFollower, ItemTable
from feature_store.settings import Settings

RANKER_ITEMS = "eddyline_ranker_items"


class ItemsUnknown(TimeoutError):  # noqa: N818  (a state of the world)
    """The rankers did not take in the items in time."""


class ItemsBarrier:
    """Tells when every ranker knows every item that ingest has accepted.

    All read the one log `items` from its beginning: a ranker that has as many items as that log has
    ids has read up to the last new one.

    Parameters
    ----------
    settings : where Kafka is
    ranker_metrics : addresses of the rankers' metrics
    drained : whether ingest has taken in all events
    clock : measures the timeout
    pause : called between two looks
    timeout_s : how long to wait before :class:`ItemsUnknown`
    """

    def __init__(
        self,
        settings: Settings,
        ranker_metrics: Iterable[str],
        drained: Callable[[], bool],
        clock: Clock,
        pause: Callable[[], None],
        timeout_s: float = 60.0,
    ) -> None:
        self._settings = settings
        self._ranker_metrics = tuple(ranker_metrics)
        self._drained = drained
        self._clock = clock
        self._pause = pause
        self._timeout_s = timeout_s

    def wait(self) -> int:
        """Return once all rankers know all items; how many there are.

        Raises
        ------
        ItemsUnknown
            When they do not within the timeout.
        """
        deadline_ns = self._clock.monotonic_ns() + int(self._timeout_s * 1e9)
        self._until(self._drained, deadline_ns, "ingest has not taken in all item events")
        announced = self._announced()
        self._until(
            lambda: all(read_metric(url, RANKER_ITEMS) >= announced for url in self._ranker_metrics),
            deadline_ns,
            f"a ranker knows fewer than the {announced} items announced",
        )
        return announced

    def _announced(self) -> int:
        table = ItemTable()
        follower = ItemsFollower(self._settings, table)
        follower.start()
        try:
            if not follower.wait_caught_up(self._timeout_s):
                raise ItemsUnknown(f"`items` not read within {self._timeout_s:.0f} s")
            return len(table)
        finally:
            follower.close()

    def _until(self, done: Callable[[], bool], deadline_ns: int, problem: str) -> None:
        while not done():
            if self._clock.monotonic_ns() > deadline_ns:
                raise ItemsUnknown(f"{problem} after {self._timeout_s:.0f} s")
            self._pause()

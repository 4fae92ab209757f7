"""Keeps the sources' shelves fresh, on a thread of its own."""

from collections.abc import Callable, Sequence
from threading import Event, Thread

import structlog

from feature_store.clock import Clock
from feature_store.telemetry.health import Heartbeat
from ranker.sources.shelf import Shelf

_log = structlog.get_logger()


class Refresher:
    """Refreshes every shelf in turn; one that fails keeps what it had.

    Parameters
    ----------
    on_failure : told which source failed
    """

    def __init__(
        self,
        shelves: Sequence[Shelf],
        clock: Clock,
        heartbeat: Heartbeat,
        interval_ms: int,
        on_failure: Callable[[str], None],
    ) -> None:
        self._shelves = tuple(shelves)
        self._clock = clock
        self._heartbeat = heartbeat
        self._interval_s = interval_ms / 1000
        self._on_failure = on_failure
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="refresher", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Stop, and wait for the thread."""
        self._stopped.set()
        self._thread.join()

    def refresh(self) -> None:
        """One turn."""
        for shelf in self._shelves:
            try:
                shelf.refresh(self._clock.now_ms())
            except Exception as error:  # noqa: BLE001  (a source that fails must not end the others)
                _log.warning("source_not_refreshed", source=shelf.name, error=str(error))
                self._on_failure(shelf.name)

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_s):
            self._heartbeat.beat()
            self.refresh()

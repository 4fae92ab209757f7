"""Follows the switches from a thread of its own, so that a request asks only memory."""

from threading import Event, Thread

import structlog

from feature_store.clock import Clock
from feature_store.online.switches import SwitchStore
from ranker.experiments.draw import EXPERIMENTS

_log = structlog.get_logger()
_EVERY_S = 0.25
_BELIEVED_MS = 900


class SwitchWatcher:
    """Which experiments are off: those switched off, and all while nobody knows.

    A switch works within a second. Experiments can be missed; a switch that nobody reads cannot.
    """

    def __init__(self, store: SwitchStore, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._off: frozenset[str] = frozenset(EXPERIMENTS)
        self._read_ns: int | None = None
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="switches", daemon=True)

    def off(self) -> frozenset[str]:
        """Names of the experiments that are off now."""
        known = self._read_ns is not None and self._age_ms() <= _BELIEVED_MS
        return self._off if known else frozenset(EXPERIMENTS)

    def start(self) -> None:
        """Follow in the background; the first look is over when this returns."""
        self.refresh()
        self._thread.start()

    def close(self) -> None:
        """Stop following."""
        self._stopped.set()
        self._thread.join()

    def refresh(self) -> None:
        """Look once."""
        began_ns = self._clock.monotonic_ns()
        try:
            off = frozenset(self._store.read())
        except Exception as error:  # noqa: BLE001  (whatever it is, experiments are off until it is over)
            _log.warning("switches_not_read", error=str(error))
            return
        if off != self._off:
            _log.info("switches", off=sorted(off))
        self._off, self._read_ns = off, began_ns

    def _age_ms(self) -> float:
        return (self._clock.monotonic_ns() - (self._read_ns or 0)) / 1e6

    def _run(self) -> None:
        while not self._stopped.wait(_EVERY_S):
            self.refresh()

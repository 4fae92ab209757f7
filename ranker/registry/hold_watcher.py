"""Follows a hold in the background: a ranker that releases versions must not wait for Kafka to say so."""

from threading import Event, Thread

import structlog

from feature_store.clock import Clock
from ranker.registry.hold import Held, Hold, Known

_log = structlog.get_logger()
_EVERY_S = 5.0
_FIRST_WITHIN_S = 10.0


class HoldWatcher:
    """Asks from a thread of its own, so that whoever wants to know asks only memory.

    What was known last holds on while nobody can say; before anything is known it is held.

    Attributes
    ----------
    known : asked from memory
    """

    def __init__(self, held: Held, clock: Clock) -> None:
        self._held = held
        self._clock = clock
        now_ms = clock.now_ms()
        self.known = Known(Hold("it is not known yet whether a loop is open", now_ms), now_ms)
        self._looked = Event()
        self._stopped = Event()
        self._thread = Thread(target=self._run, name="hold", daemon=True)

    def start(self) -> None:
        """Follow in the background; when this returns the first look is over, or has taken 10 s."""
        self._thread.start()
        self._looked.wait(_FIRST_WITHIN_S)

    def close(self) -> None:
        """Stop following; a look that is under way is not waited for: Kafka may take its time."""
        self._stopped.set()

    def refresh(self) -> None:
        """Look once."""
        began_ms = self._clock.now_ms()
        try:
            hold = self._held()
        except Exception as error:  # noqa: BLE001  (whatever it is, the next look may succeed)
            _log.warning("hold_not_known", problem=str(error))
            return
        if hold != self.known.hold:
            _log.info("hold", reason=None if hold is None else hold.reason)
        self.known = Known(hold, began_ms)

    def _run(self) -> None:
        self.refresh()
        self._looked.set()
        while not self._stopped.wait(_EVERY_S):
            self.refresh()

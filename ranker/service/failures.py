"""Why answers are degraded, in the log: what is missing from an answer says nothing of the cause."""

from collections.abc import Sequence
from threading import Lock

import structlog

from feature_store.clock import Clock
from ranker.pipeline.outcome import Failure

_EVERY_NS = 1_000_000_000

_log = structlog.get_logger()


class FailureLog:
    """Logs the first failure of each kind at once and then at most one a second, with how many went by.

    A part that is down fails every request: a line for each would bury what else there is to read.

    Parameters
    ----------
    clock : its monotonic time paces the lines
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._not_before_ns: dict[str, int] = {}
        self._unsaid: dict[str, int] = {}
        self._counting = Lock()

    def add(self, request_id: str, failures: Sequence[Failure]) -> None:
        """What failed while this request was ranked. Safe to call from several threads."""
        for failure in failures:
            unsaid = self._unsaid_before(failure.note)
            if unsaid is not None:
                _log.warning(
                    "answer_degraded",
                    request_id=request_id,
                    note=failure.note,
                    error=failure.error,
                    others_since=unsaid,
                )

    def _unsaid_before(self, note: str) -> int | None:
        """How many of a kind went by since the last line; None where another line would be too soon."""
        now_ns = self._clock.monotonic_ns()
        with self._counting:
            if now_ns < self._not_before_ns.get(note, now_ns):
                self._unsaid[note] = self._unsaid.get(note, 0) + 1
                return None
            self._not_before_ns[note] = now_ns + _EVERY_NS
            return self._unsaid.pop(note, 0)

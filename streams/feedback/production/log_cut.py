"""Cuts several logs at one moment of log time, so that what is before it is the same in every replay."""

from collections import Counter
from collections.abc import Mapping

from streams.feedback.production.dated_log import DatedLog, Judged, LogMessage, Misstamped
from streams.processors.start import CannotStart

Place = tuple[str, int]
"""Topic and partition."""


class LogCut:
    """Holds messages until all logs have been read past a cut.

    Parameters
    ----------
    next_offsets : of each log, the first message that no cut has taken yet
    delays_ms : topic -> what is added to the times of its messages
    judged : of each log, what :meth:`judged` gave; without it its first stamp is believed
    """

    def __init__(
        self,
        next_offsets: Mapping[Place, int],
        delays_ms: Mapping[str, int],
        judged: Mapping[Place, Judged] | None = None,
    ) -> None:
        known = judged or {}
        self._logs = {
            place: DatedLog(offset, delays_ms.get(place[0], 0), known.get(place, Judged()))
            for place, offset in next_offsets.items()
        }

    def take(self, place: Place, offset: int, stamp_ms: int, payload: bytes) -> Misstamped:
        """Take in a message with its Kafka timestamp; one that was read before is left out.

        Returns
        -------
        messages that were found to be misstamped: those `ahead` of this one count as of it, one that is
        `behind` its log as of those before it

        Raises
        ------
        CannotStart
            When a message is missing before it.
        """
        log = self._logs[place]
        if offset < log.read_offset:
            return Counter()
        if offset > log.read_offset:
            raise CannotStart(f"{place[0]}[{place[1]}]: message {log.read_offset} comes next, {offset} came")
        log.read_offset += 1
        return log.take(LogMessage(stamp_ms + log.delay_ms, *place, offset, payload))

    def quiet(self, place: Place, until_ms: int) -> None:
        """A log has been read to its end, and nothing stamped before ``until_ms`` comes any more."""
        log = self._logs[place]
        log.quiet(until_ms + log.delay_ms)

    def doubts(self, place: Place) -> bool:
        """Whether the last stamp of a log is so far ahead that it may be a wrong clock's."""
        return bool(self._logs[place].doubted)

    def complete(self, cut_ms: int) -> bool:
        """Whether everything before ``cut_ms`` has been read."""
        return all(log.time_ms >= cut_ms for log in self._logs.values())

    def before(self, cut_ms: int) -> list[LogMessage]:
        """The messages before ``cut_ms`` that no cut has taken yet, in an order of their own."""
        return sorted(message for log in self._logs.values() for message in log.before(cut_ms))

    def first_ms(self) -> int | None:
        """Time of the earliest message that waits; None where none does."""
        return min((log.waiting[0].time_ms for log in self._logs.values() if log.waiting), default=None)

    def next_offsets(self) -> dict[Place, int]:
        """Of each log, the first message that no cut has taken yet."""
        return {place: log.next_offset for place, log in self._logs.items()}

    def judged(self) -> dict[Place, Judged]:
        """Of each log, what is known of the stamps of what comes next."""
        return {place: log.judged() for place, log in self._logs.items()}

    def read_offsets(self) -> dict[Place, int]:
        """Of each log, the message to be read next."""
        return {place: log.read_offset for place, log in self._logs.items()}

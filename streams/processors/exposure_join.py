"""Joins what was served, seen and done of one partition into exposures, as a pure function of the logs.

Every decision is due at a log time: an exposure closes ``close_ms`` after its impression, a late
outcome is written at its own time, an interaction without an impression is given up ``close_ms``
after it came. A decision is made once both logs have been read past the time at which it is due, so
that neither the order in which they are read nor a restart changes what is decided.
"""

from collections import Counter, deque
from collections.abc import Iterator, Sequence

import pyarrow as pa

from feature_store.schema.batches import SourceRanges
from feature_store.schema.exposures import LATE, ON_TIME, ORPHAN
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from streams.processors.exposure_rows import Exposure, build_exposures
from streams.processors.feedback_rows import new_rows, raise_high_water, split_feedback
from streams.processors.impressions import ImpressionMessage, Impressions
from streams.processors.join_checkpoint import JoinCheckpoint
from streams.processors.join_keys import is_organic
from streams.processors.join_metrics import JoinMetrics
from streams.processors.join_window import JoinWindow
from streams.processors.log_reader import LogReader
from streams.processors.outcomes import OUTCOME_BYTES, Outcome, WaitingOutcomes
from streams.processors.repeats import Repeats
from streams.processors.served_index import ServedIndex

_UNJOINED_SHARE = 0.25
"""Of the memory allowed: what waiting outcomes and repeats may take of it where there is not enough."""


class ExposureJoiner:
    """The join of one partition.

    Parameters
    ----------
    feedback, served : the two logs, from where they are to be read
    checkpoint : what was decided before; None: nothing
    held_bytes_max : when the window needs more, its oldest part is closed and forgotten early, and counted
    """

    def __init__(
        self,
        partition: int,
        window: JoinWindow,
        feedback: LogReader,
        served: LogReader,
        checkpoint: JoinCheckpoint | None,
        *,
        held_bytes_max: int,
        metrics: JoinMetrics,
    ) -> None:
        self._partition = partition
        self._window = window
        self._logs = {FEEDBACK: feedback, RANK_SERVED: served}
        self._held_bytes_max = held_bytes_max
        self._metrics = metrics
        self._high_water = dict(checkpoint.source_high_water) if checkpoint else {}
        self._decided_to_ms = checkpoint.decided_to_ms if checkpoint else 0
        self._served = ServedIndex(window.late_ms, window.served_keep_ms)
        self._repeats = Repeats(window.late_ms)
        self._impressions = Impressions(window, self._repeats)
        self._unclosed: deque[ImpressionMessage] = deque()
        self._waiting = WaitingOutcomes(window.close_ms)
        self._late: dict[ImpressionMessage, list[tuple[int, int]]] = {}  # (time, place), in log order
        self._outcomes = 0
        self._forget_oldest = {
            "outcome": self._waiting.forget_oldest,
            "repeat": self._repeats.forget_oldest,
            "served": self._served.forget_oldest,
        }

    def take_served(self, offset: int, stamp_ms: int, rows: pa.RecordBatch) -> None:
        """Take in a message of `rank.served` with its Kafka timestamp.

        Raises
        ------
        CannotStart
            When a message is missing before it.
        """
        time_ms = self._step(RANK_SERVED, offset, stamp_ms, {})
        repeats = self._served.add(offset, time_ms, rows)
        self._count_repeats("answer", repeats, time_ms)

    def take_feedback(self, offset: int, stamp_ms: int, rows: pa.RecordBatch, ranges: SourceRanges) -> None:
        """Take in a message of `batches.feedback` with its Kafka timestamp. Raises as :meth:`take_served`."""
        time_ms = self._step(FEEDBACK, offset, stamp_ms, self._high_water)
        fresh = new_rows(rows, ranges, self._high_water)
        self._high_water = raise_high_water(self._high_water, ranges)
        self._count_repeats("row", len(rows) - len(fresh), time_ms)
        seen, done = split_feedback(fresh, time_ms, offset)
        if seen.keys:
            self._see(self._impressions.see(offset, time_ms, seen.rows, seen.keys), len(seen.keys))
        for key, outcome in done:
            self._act(key, outcome)

    def skip(self, topic: str, offset: int, stamp_ms: int) -> None:
        """Leave out a message that cannot be read. Raises as :meth:`take_served`."""
        self._step(topic, offset, stamp_ms, self._high_water if topic == FEEDBACK else {})

    def quiet(self, topic: str, until_ms: int) -> None:
        """``topic`` has been read to its end, and nothing stamped before ``until_ms`` comes any more."""
        self._logs[topic].quiet_until(until_ms)

    def decide(self) -> list[pa.RecordBatch]:
        """The exposures due by now, as batches of `exposures`."""
        now_ms = min(log.time_ms for log in self._logs.values())
        due = [*self._close(now_ms), *self._revise(now_ms)]
        self._give_up(now_ms)
        self._forget(now_ms)
        due.extend(self._shed())
        self._metrics.joined(Counter(exposure.status for exposure in due))
        self._decided_to_ms = max(self._decided_to_ms, now_ms)
        self._show()
        return list(build_exposures(due, self._partition))

    def checkpoint(self) -> JoinCheckpoint:
        """Where to go on from, once everything decided so far has been written."""
        since_ms = self._decided_to_ms
        feedback, high_water = self._logs[FEEDBACK].position(
            since_ms - self._window.feedback_reread_ms, self._high_water
        )
        served, _ = self._logs[RANK_SERVED].position(since_ms - self._window.served_reread_ms, {})
        return JoinCheckpoint(feedback, served, high_water, self._decided_to_ms)

    def next_offset(self, topic: str) -> int:
        """Offset of the message of ``topic`` to take in next."""
        return self._logs[topic].next_offset

    @property
    def held_bytes(self) -> int:
        """About what the window takes in memory."""
        joined = self._served.nbytes + self._impressions.nbytes + OUTCOME_BYTES * self._outcomes
        return joined + self._unjoined_bytes

    @property
    def _unjoined_bytes(self) -> int:
        """What is held that gives no exposure by itself, however much of it comes."""
        return self._waiting.nbytes + self._repeats.nbytes

    def _step(self, topic: str, offset: int, stamp_ms: int, high_water: dict[int, int]) -> int:
        """The log time of a message, whose stamp is earlier where clocks disagree."""
        time_ms = self._logs[topic].take(offset, stamp_ms, high_water)
        self._metrics.restamped(topic, time_ms > stamp_ms)
        return time_ms

    def _show(self) -> None:
        unclosed = sum(len(message.keys) for message in self._unclosed)
        self._metrics.holds(
            self._partition, unclosed=unclosed, nbytes=self.held_bytes, decided_to_ms=self._decided_to_ms
        )

    def _see(self, message: ImpressionMessage, seen: int) -> None:
        self._count_repeats("impression", seen - len(message.keys), message.time_ms)
        if message.keys:
            self._unclosed.append(message)
        awaited = self._waiting.awaited(message.keys)
        for place, key in enumerate(message.keys) if awaited else ():
            if key in awaited and (claimed := self._waiting.claim(key, message.time_ms)):
                message.outcomes[place] = claimed
                self._outcomes += len(claimed)

    def _act(self, key: str, outcome: Outcome) -> None:
        impression = self._impressions.answered_by(key, outcome.time_ms)
        if impression is None:
            self._waiting.add(key, outcome)
            return
        message, place = impression
        message.outcomes.setdefault(place, []).append(outcome)
        self._outcomes += 1
        if outcome.time_ms > message.time_ms + self._window.close_ms:
            self._late.setdefault(message, []).append((outcome.time_ms, place))

    def _close(self, now_ms: int) -> Iterator[Exposure]:
        """The exposures whose impressions are old enough, with what was done until they closed."""
        while self._unclosed and self._unclosed[0].time_ms + self._window.close_ms < now_ms:
            message = self._unclosed.popleft()
            if message.time_ms + self._window.close_ms >= self._decided_to_ms:
                yield from self._exposures_of(message)

    def _exposures_of(self, message: ImpressionMessage) -> list[Exposure]:
        until_ms = message.time_ms + self._window.close_ms
        places = range(len(message.keys))
        closed = self._exposures(message, places, until_ms, ON_TIME)
        self._metrics.orphaned("not_served", sum(exposure.status == ORPHAN for exposure in closed))
        return closed

    def _revise(self, now_ms: int) -> Iterator[Exposure]:
        """The exposures to which something was added after they had closed."""
        for message, late in list(self._late.items()):
            if late[0][0] < now_ms:
                yield from self._revisions_of(message, now_ms - 1)

    def _revisions_of(self, message: ImpressionMessage, until_ms: int) -> list[Exposure]:
        late = self._late.pop(message, [])
        if waiting := [each for each in late if each[0] > until_ms]:
            self._late[message] = waiting
        places = {place: None for time_ms, place in late if self._decided_to_ms <= time_ms <= until_ms}
        return self._exposures(message, list(places), until_ms, LATE)

    def _exposures(
        self, message: ImpressionMessage, places: Sequence[int], until_ms: int, status: str
    ) -> list[Exposure]:
        """Exposures of the impressions at ``places``, with what was done until ``until_ms``."""
        seen_ms, window = message.time_ms, self._window
        keys = [message.keys[place] for place in places]
        served = self._served.find(keys, seen_ms - window.late_ms, seen_ms + window.close_ms)
        return [
            Exposure(
                (message, place),
                row,
                message.outcomes_until(place, until_ms),
                ORPHAN if row is None and not is_organic(key) else status,
            )
            for place, key, row in zip(places, keys, served, strict=True)
        ]

    def _give_up(self, now_ms: int) -> None:
        since_ms = self._decided_to_ms - self._window.close_ms
        orphans = self._waiting.give_up(now_ms)
        self._metrics.orphaned("no_impression", sum(orphan.time_ms >= since_ms for orphan in orphans))

    def _forget(self, now_ms: int) -> None:
        self._served.forget(now_ms)
        self._repeats.forget(now_ms)
        for message in self._impressions.forget(now_ms):
            self._outcomes -= message.outcome_count

    def _shed(self) -> Iterator[Exposure]:
        """Forget the oldest part of a window that has become too large; what was not written yet is."""
        while self.held_bytes > self._held_bytes_max:
            oldest_ms = self._oldest_ms()
            kind = min(oldest_ms, key=oldest_ms.__getitem__)
            if kind == "impression":
                yield from self._shed_impressions()
            else:
                self._metrics.forgot(kind, self._forget_oldest[kind]())

    def _shed_impressions(self) -> Iterator[Exposure]:
        message = self._impressions.forget_oldest()
        self._outcomes -= message.outcome_count
        self._metrics.forgot("impression", len(message.keys))
        if self._unclosed and self._unclosed[0] is message:
            self._unclosed.popleft()
            yield from self._exposures_of(message)
        yield from self._revisions_of(message, self._logs[FEEDBACK].time_ms)

    def _oldest_ms(self) -> dict[str, float]:
        """Kind -> log time of the oldest held of it, as far as it may have to go.

        An answer goes after the impressions that may belong to it. A flood of what gives no exposure
        does not drive out what does.
        """
        oldest_ms = {"outcome": self._waiting.oldest_ms, "repeat": self._repeats.oldest_ms}
        if self._unjoined_bytes > self._held_bytes_max * _UNJOINED_SHARE:
            return oldest_ms
        served_ms = self._served.oldest_ms + self._window.close_ms
        return oldest_ms | {"impression": self._impressions.oldest_ms, "served": served_ms}

    def _count_repeats(self, kind: str, repeats: int, time_ms: int) -> None:
        if time_ms >= self._decided_to_ms:
            self._metrics.repeated(kind, repeats)

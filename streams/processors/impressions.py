"""Impressions by (user, request, item) and their outcomes, as references into the messages that hold them."""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import repeat

import pyarrow as pa

from streams.processors.join_keys import KEY_BYTES
from streams.processors.join_window import JoinWindow
from streams.processors.outcomes import Outcome
from streams.processors.repeats import Repeats


@dataclass(frozen=True, slots=True, eq=False)
class ImpressionMessage:
    """The impressions of one message of `batches.feedback` that repeat no earlier one.

    Attributes
    ----------
    keys : of each row, see `join_keys`
    outcomes : place of a row -> its interactions in log order
    """

    time_ms: int
    offset: int
    rows: pa.RecordBatch
    keys: list[str]
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """About what it takes in memory without its outcomes, the index's entries included."""
        return int(self.rows.get_total_buffer_size()) + KEY_BYTES * len(self.keys)

    def outcomes_until(self, place: int, until_ms: int) -> Sequence[Outcome]:
        """The interactions with one impression up to a log time, in log order."""
        outcomes = self.outcomes.get(place)
        return [outcome for outcome in outcomes if outcome.time_ms <= until_ms] if outcomes else ()

    @property
    def outcome_count(self) -> int:
        """Interactions folded into its impressions."""
        return sum(map(len, self.outcomes.values()))


Impression = tuple[ImpressionMessage, int]
"""A message and the place of the row in it."""


class Impressions:
    """The impressions whose outcomes are still joined.

    An impression within ``window.late_ms`` of another one of the same exposure repeats it.

    Parameters
    ----------
    repeats : is told of those
    """

    def __init__(self, window: JoinWindow, repeats: Repeats) -> None:
        self._window = window
        self._repeats = repeats
        self._messages: deque[ImpressionMessage] = deque()
        self._rows: dict[str, Impression] = {}
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def oldest_ms(self) -> float:
        """Log time of the oldest message kept; infinite if there is none."""
        return self._messages[0].time_ms if self._messages else math.inf

    def see(self, offset: int, time_ms: int, rows: pa.RecordBatch, keys: list[str]) -> ImpressionMessage:
        """Take in impressions; those among them that are first, which may be none."""
        fresh = self._first_ones(keys, time_ms)
        if len(fresh) < len(keys):
            rows, keys = rows.take(pa.array(fresh, pa.int64())), [keys[place] for place in fresh]
        message = ImpressionMessage(time_ms, offset, rows, keys)
        if not keys:
            return message
        self._messages.append(message)
        self._rows.update(zip(keys, zip(repeat(message), range(len(keys))), strict=False))
        self.nbytes += message.nbytes
        return message

    def answered_by(self, key: str, time_ms: int) -> Impression | None:
        """The impression of ``key`` that an interaction at ``time_ms`` belongs to."""
        impression = self._rows.get(key)
        return impression if impression and time_ms <= impression[0].time_ms + self._window.late_ms else None

    def forget(self, now_ms: int) -> Iterator[ImpressionMessage]:
        """Drop, one by one, what nothing is joined to any more at log time ``now_ms``."""
        before_ms = now_ms - self._window.late_ms
        while self._messages and self._messages[0].time_ms < before_ms:
            yield self.forget_oldest()

    def forget_oldest(self) -> ImpressionMessage:
        """Drop the oldest message."""
        message = self._messages.popleft()
        self.nbytes -= message.nbytes
        for key in message.keys:
            if (impression := self._rows.get(key)) and impression[0] is message:
                del self._rows[key]
        return message

    def _first_ones(self, keys: list[str], time_ms: int) -> list[int]:
        """Places of the keys that repeat no other, and note when the others were repeated."""
        fresh: dict[str, int] = {}
        for place, key in enumerate(keys):
            if key in fresh or self._is_repeat(key, time_ms):
                self._repeats.note(key, time_ms)
            else:
                fresh[key] = place
        return list(fresh.values())

    def _is_repeat(self, key: str, time_ms: int) -> bool:
        impression = self._rows.get(key)
        if impression and time_ms <= impression[0].time_ms + self._window.late_ms:
            return True
        return self._repeats.near(key, time_ms)

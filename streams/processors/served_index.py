"""Served rows by (user, request, item), as references into the messages that hold them."""

import math
from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from streams.processors.join_keys import KEY_BYTES, exposure_keys, request_keys


@dataclass(frozen=True, slots=True, eq=False)
class ServedMessage:
    """The served rows of one message of `rank.served`.

    Attributes
    ----------
    layout : number that messages with equal schemas share
    keys : of each row, see `join_keys`
    requests : the requests that the message answers, repeated answers included
    nbytes : about what it takes in memory, the index's entries included
    """

    time_ms: int
    offset: int
    rows: pa.RecordBatch
    layout: int
    keys: list[str]
    requests: list[str]
    nbytes: int


ServedRow = tuple[ServedMessage, int]
"""A message and the place of the row in it."""


class ServedIndex:
    """The served rows of the last ``keep_ms`` of log time; the first answer to a request wins.

    Parameters
    ----------
    repeat_ms : how long after an answer another one to the same request repeats it
    """

    def __init__(self, repeat_ms: int, keep_ms: int) -> None:
        self._repeat_ms = repeat_ms
        self._keep_ms = keep_ms
        self._messages: deque[ServedMessage] = deque()
        self._rows: dict[str, ServedRow] = {}
        self._hidden: dict[str, deque[ServedRow]] = {}
        self._last_answer_ms: dict[str, int] = {}
        self._layouts: list[pa.Schema] = []
        self.nbytes = 0

    def __len__(self) -> int:
        return len(self._rows)

    def add(self, offset: int, time_ms: int, rows: pa.RecordBatch) -> int:
        """Take in a message of `rank.served`; the number of answers that repeat an earlier one."""
        if rows.column("position").null_count:
            rows = rows.filter(pc.is_valid(rows.column("position")))
        of_row = request_keys(rows).to_pylist()
        requests = list(dict.fromkeys(of_row))
        repeated = {request for request in requests if self._is_repeat(request, time_ms)}
        self._last_answer_ms.update(dict.fromkeys(requests, time_ms))
        if repeated:
            rows = rows.filter(pa.array([request not in repeated for request in of_row], pa.bool_()))
        self._keep(offset, time_ms, rows, requests)
        return len(repeated)

    def find(self, keys: Sequence[str], since_ms: int, until_ms: int) -> list[ServedRow | None]:
        """Of each ``user|request|item`` the last row until ``until_ms``, if it is not before ``since_ms``."""
        rows = map(self._rows.get, keys)
        return [
            row
            if row is None or since_ms <= row[0].time_ms <= until_ms
            else self._older(row, key, since_ms, until_ms)
            for row, key in zip(rows, keys, strict=True)
        ]

    def forget(self, now_ms: int) -> None:
        """Drop what nobody may ask for any more at log time ``now_ms``."""
        while self._messages and self._messages[0].time_ms + self._keep_ms < now_ms:
            self.forget_oldest()

    def forget_oldest(self) -> int:
        """Drop the oldest message; the number of rows dropped."""
        message = self._messages.popleft()
        self.nbytes -= message.nbytes
        for key in message.keys:
            self._forget_oldest_of(key)
        for request in message.requests:
            if self._last_answer_ms.get(request) == message.time_ms:
                del self._last_answer_ms[request]
        return len(message.keys)

    @property
    def oldest_ms(self) -> float:
        """Log time of the oldest message kept; infinite if there is none."""
        return self._messages[0].time_ms if self._messages else math.inf

    def _is_repeat(self, request: str, time_ms: int) -> bool:
        answered_ms = self._last_answer_ms.get(request)
        return answered_ms is not None and time_ms - answered_ms <= self._repeat_ms

    def _keep(self, offset: int, time_ms: int, rows: pa.RecordBatch, requests: list[str]) -> None:
        keys = exposure_keys(rows)
        if len(set(keys)) < len(keys):
            rows, keys = _first_of_each(rows, keys)
        for key in self._rows.keys() & set(keys):
            self._hidden.setdefault(key, deque()).append(self._rows[key])
        layout = self._layout(rows.schema)
        nbytes = int(rows.get_total_buffer_size()) + KEY_BYTES * (len(keys) + len(requests))
        message = ServedMessage(time_ms, offset, rows, layout, keys, requests, nbytes)
        self._messages.append(message)
        self._rows.update(zip(keys, zip(repeat(message), range(len(keys))), strict=False))
        self.nbytes += message.nbytes

    def _older(self, row: ServedRow, key: str, since_ms: int, until_ms: int) -> ServedRow | None:
        """The last row until ``until_ms``, where ``row`` is not the answer."""
        for known in (row, *reversed(self._hidden.get(key, ()))):
            if known[0].time_ms <= until_ms:
                return known if known[0].time_ms >= since_ms else None
        return None

    def _forget_oldest_of(self, key: str) -> None:
        hidden = self._hidden.get(key)
        if hidden is None:
            del self._rows[key]
            return
        hidden.popleft()
        if not hidden:
            del self._hidden[key]

    def _layout(self, schema: pa.Schema) -> int:
        """Number of an equal schema: there are few, and hashing one takes long."""
        for number, known in enumerate(self._layouts):
            if known.equals(schema):
                return number
        self._layouts.append(schema)
        return len(self._layouts) - 1


def _first_of_each(rows: pa.RecordBatch, keys: list[str]) -> tuple[pa.RecordBatch, list[str]]:
    """Without the rows of a request that was answered twice in one message."""
    first = {key: place for place, key in reversed(list(enumerate(keys)))}
    places = sorted(first.values())
    return rows.take(pa.array(places)), [keys[place] for place in places]


def gather_by_layout(found: Sequence[ServedRow | None]) -> Iterator[tuple[NDArray[np.intp], pa.Table | None]]:
    """The rows found, split by layout: places in ``found`` and their rows; None for what was not found."""
    layouts: dict[int | None, list[int]] = defaultdict(list)
    for place, row in enumerate(found):
        layouts[row[0].layout if row else None].append(place)
    for places in layouts.values():
        chosen = [row for row in map(found.__getitem__, places) if row]
        yield np.array(places), _gather(chosen) if chosen else None


def _gather(found: Sequence[ServedRow]) -> pa.Table:
    starts: dict[ServedMessage, int] = {}
    end = 0
    for message, _ in found:
        if message not in starts:
            starts[message] = end
            end += len(message.keys)
    rows = pa.Table.from_batches([message.rows for message in starts]).unify_dictionaries()
    return rows.take(pa.array([starts[message] + place for message, place in found]))

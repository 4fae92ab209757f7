"""Sends dead letters to `events` again, each of them once."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

from feature_store.outbound import Outbound, Sink
from feature_store.schema.topics import EVENTS
from streams.deadletters.letters import DeadLetter

_SAVE_EVERY = 10_000
"""Letters between two savings of the positions: so many are sent twice where a replay is interrupted and
repeated. A small part of the duplicate window, so that ingest still knows these events.
"""


class Positions(Protocol):
    """Remembers how far each reason was replayed."""

    def load(self, reason: str) -> Mapping[int, int]:
        """Partition -> the first offset that was not replayed; no partition of which nothing was."""

    def save(self, reason: str, positions: Mapping[int, int]) -> None:
        """Remember positions; those of other partitions stay."""


@dataclass(slots=True)
class Replayed:
    """What became of the letters of a replay.

    Attributes
    ----------
    sent : acknowledged by the broker
    before : left out, since an earlier replay sent them
    repeated : left out, since another letter holds the same event: it was refused again
    truncated : left out, since only their beginning is kept
    """

    sent: int = 0
    before: int = 0
    repeated: int = 0
    truncated: int = 0


def replay_dead_letters(
    letters: Iterable[DeadLetter], events: Sink, positions: Positions, *, again: bool = False
) -> Replayed:
    """Send the bytes of dead letters to `events` again, under the key they had.

    A position moves on once everything before it is acknowledged. An event that is refused again becomes a
    new letter, which the next replay sends in place of the old one.

    Parameters
    ----------
    letters : in each partition by offset
    events : where they go
    positions : letters before these are left out
    again : send those, too; positions never go back
    """
    replayed, course = Replayed(), _Course(positions)
    sent: set[bytes] = set()
    for count, letter in enumerate(letters, start=1):
        event = _digest(letter)
        if course.is_behind(letter) and not again:
            replayed.before += 1
        elif letter.truncated:
            replayed.truncated += 1
        elif event in sent:
            replayed.repeated += 1
        else:
            events.produce(_event(letter))
            sent.add(event)
            replayed.sent += 1
        course.pass_by(letter)
        if count % _SAVE_EVERY == 0:
            events.flush()
            course.save()
    events.flush()
    course.save()
    return replayed


class _Course:
    """The positions of one replay."""

    def __init__(self, positions: Positions) -> None:
        self._positions = positions
        self._saved: dict[str, Mapping[int, int]] = {}
        self._reached: dict[str, dict[int, int]] = {}

    def is_behind(self, letter: DeadLetter) -> bool:
        """Whether an earlier replay came past the letter."""
        if letter.reason not in self._saved:
            self._saved[letter.reason] = self._positions.load(letter.reason)
        return letter.offset < self._saved[letter.reason].get(letter.partition, 0)

    def pass_by(self, letter: DeadLetter) -> None:
        """The letter was sent or left out."""
        if not self.is_behind(letter):
            self._reached.setdefault(letter.reason, {})[letter.partition] = letter.offset + 1

    def save(self) -> None:
        """Remember what was reached since the last time."""
        for reason, reached in self._reached.items():
            self._positions.save(reason, reached)
        self._reached.clear()


def _event(letter: DeadLetter) -> Outbound:
    """An event without a key goes where it came from: only there ingest knows it if it is sent twice."""
    partition = letter.source_partition if letter.key is None else None
    return Outbound(EVENTS, letter.value, key=letter.key, partition=partition)


def _digest(letter: DeadLetter) -> bytes:
    """16 bytes that are the same for letters with the same event."""
    return blake2b(repr((letter.key, letter.value)).encode(), digest_size=16).digest()

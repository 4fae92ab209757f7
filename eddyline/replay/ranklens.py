"""Reads a RankLens log (metarank/ranklens): items, rankings shown to people, and what they clicked.

One JSON object a line, plain or gzipped; the format is described at
https://github.com/metarank/ranklens.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

import msgspec

from feature_store.schema.events import MAX_ATTRIBUTE_VALUES, MAX_ATTRIBUTES, MAX_ATTRIBUTES_BYTES

Value = float | str | list[str]


class RankLensError(ValueError):
    """The file is not a RankLens log; the message names the line."""


class Field(msgspec.Struct):
    """One attribute as RankLens writes it."""

    name: str
    value: Value


class Shown(msgspec.Struct):
    """An item of a ranking."""

    id: str


class Item(msgspec.Struct, tag_field="event", tag="item"):
    """A film: its attributes at a time."""

    id: str
    item: str
    timestamp: str
    fields: list[Field]


class Ranking(msgspec.Struct, tag_field="event", tag="ranking"):
    """What a user was shown: items in the order of display."""

    id: str
    user: str
    timestamp: str
    items: list[Shown]


class Interaction(msgspec.Struct, tag_field="event", tag="interaction"):
    """What a user did with an item of a ranking."""

    id: str
    type: str
    item: str
    ranking: str
    user: str
    timestamp: str


@dataclass(frozen=True)
class RankLensLog:
    """A whole file, each kind in time order (in the file's order within a millisecond)."""

    items: list[Item]
    rankings: list[Ranking]
    interactions: list[Interaction]

    @property
    def last_time_ms(self) -> int:
        """Time of the last event."""
        ends = (kind[-1] for kind in (self.items, self.rankings, self.interactions) if kind)
        return max(time_ms(event) for event in ends)


def read_ranklens(path: Path) -> RankLensLog:
    """The log in ``path``, gzipped or not.

    Raises
    ------
    RankLensError
        When a line is not an event of RankLens, or there is no ranking in the file.
    OSError
        When the file cannot be read.
    """
    log = RankLensLog([], [], [])
    with _open(path) as lines:
        for event in _events(lines):
            if isinstance(event, Item):
                log.items.append(event)
            elif isinstance(event, Ranking):
                log.rankings.append(event)
            else:
                log.interactions.append(event)
    if not log.rankings:
        raise RankLensError(f"{path}: no ranking in the file")
    log.items.sort(key=time_ms)
    log.rankings.sort(key=time_ms)
    log.interactions.sort(key=time_ms)
    return log


def time_ms(event: Item | Ranking | Interaction) -> int:
    """Its time, milliseconds since the epoch as the log has it."""
    return int(event.timestamp)


def creator_of(item: Item) -> str | None:
    """The director: who made the film; None where the log has none."""
    director = next((field.value for field in item.fields if field.name == "director"), None)
    return director if isinstance(director, str) and director else None


def attributes_of(item: Item) -> dict[str, Value]:
    """The other fields, within the limits of an `item` event: long lists are cut, a long plot goes."""
    kept = [field for field in item.fields if field.name != "director"][:MAX_ATTRIBUTES]
    attributes = {field.name: _cut(field.value) for field in kept}
    if len(msgspec.json.encode(attributes)) > MAX_ATTRIBUTES_BYTES:
        attributes.pop("description", None)
    return attributes


def popularity_of(item: Item) -> float:
    """Its popularity as the log has it; 0 where absent."""
    value = next((field.value for field in item.fields if field.name == "popularity"), 0.0)
    return float(value) if isinstance(value, int | float) else 0.0


def _cut(value: Value) -> Value:
    return value[:MAX_ATTRIBUTE_VALUES] if isinstance(value, list) else value


def _open(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        gzipped = file.read(2) == b"\x1f\x8b"
    return cast(BinaryIO, gzip.open(path, "rb")) if gzipped else path.open("rb")


def _events(lines: BinaryIO) -> Iterator[Item | Ranking | Interaction]:
    decoder = msgspec.json.Decoder(Item | Ranking | Interaction)
    number = 0
    try:
        for number, line in enumerate(lines, 1):  # noqa: B007 (named in the error)
            if line.strip():
                event = decoder.decode(line)
                int(event.timestamp)
                yield event
    except (msgspec.MsgspecError, ValueError) as error:
        raise RankLensError(f"{lines.name}, line {number}: {error}") from error
    except (gzip.BadGzipFile, EOFError) as error:
        raise RankLensError(f"{lines.name}, after line {number}: {error}") from error

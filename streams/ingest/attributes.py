"""Attributes as float64 columns: numbers as they are, texts by their hash, absent ones NaN."""

import re
from dataclasses import dataclass
from math import nan

from feature_store.schema.events import Attributes
from feature_store.schema.ids import hash53

_COLUMN = re.compile(r"attribute\.(?P<name>.+?)(?:\[(?P<width>\d+)\])?")


@dataclass(frozen=True, slots=True)
class AttributeColumn:
    """A batch column ``attribute.<name>`` (width 0: one number a row) or ``attribute.<name>[width]``."""

    name: str
    width: int

    @classmethod
    def parse(cls, column: str) -> "AttributeColumn | None":
        """The attribute that a batch column holds; None if it holds something else."""
        found = _COLUMN.fullmatch(column)
        return cls(found["name"], int(found["width"] or 0)) if found else None

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one row."""
        return (self.width,) if self.width else ()

    def encode(self, attributes: Attributes) -> float | list[float]:
        """The value of one row: a number, or ``width`` hashes filled up with NaN."""
        value = attributes.get(self.name)
        if self.width:
            hashes = [hash53(text) for text in texts_of(value)[: self.width]]
            return hashes + [nan] * (self.width - len(hashes))
        if isinstance(value, float):
            return value
        texts = texts_of(value)
        return float(hash53(texts[0])) if texts else nan


def texts_of(value: object) -> list[str]:
    """The different texts of an attribute's value, in order; a number is its shortest decimal."""
    if value is None:
        return []
    if isinstance(value, list):
        return list(dict.fromkeys(value))
    if isinstance(value, float):
        return [str(int(value)) if value.is_integer() else repr(value)]
    return [str(value)]

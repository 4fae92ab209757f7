"""Messages that an operator decided to leave out, as settings name them."""

from typing import Annotated

from pydantic import AfterValidator, ValidationInfo

from feature_store.settings import listed


def _checked(text: str, info: ValidationInfo) -> str:
    for word in listed(text):
        try:
            _place(word)
        except ValueError:
            setting = f"EDDYLINE_{info.field_name}".upper()
            raise ValueError(f"{setting}: {word!r} is not topic:partition:offset") from None
    return text


Skips = Annotated[str, AfterValidator(_checked)]
"""A setting: topic:partition:offset, comma-separated."""


def skipped(skips: Skips, topic: str) -> frozenset[tuple[int, int]]:
    """(partition, offset) of the messages of ``topic``."""
    places = map(_place, listed(skips))
    return frozenset((partition, offset) for name, partition, offset in places if name == topic)


def _place(word: str) -> tuple[str, int, int]:
    topic, partition, offset = word.rsplit(":", 2)
    return topic, int(partition), int(offset)

"""Messages that an operator decided to leave out, as settings name them."""

from feature_store.settings import listed


def check_skips(setting: str, text: str) -> None:
    """Make sure that ``text`` names places, topic:partition:offset, comma-separated.

    Raises
    ------
    ValueError
        When it does not; names ``setting``.
    """
    _places(setting, text)


def skipped(setting: str, text: str, topic: str) -> frozenset[tuple[int, int]]:
    """(partition, offset) of the messages of ``topic``. Raises as :func:`check_skips`."""
    return frozenset((part, at) for name, part, at in _places(setting, text) if name == topic)


def _places(setting: str, text: str) -> list[tuple[str, int, int]]:
    return [_place(setting, word) for word in listed(text)]


def _place(setting: str, word: str) -> tuple[str, int, int]:
    try:
        topic, partition, offset = word.rsplit(":", 2)
        return topic, int(partition), int(offset)
    except ValueError:
        raise ValueError(f"{setting}: {word!r} is not topic:partition:offset") from None

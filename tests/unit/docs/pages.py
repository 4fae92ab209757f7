"""The documents of the repository, and what they name in code."""

import re
from functools import cache

from tests.unit.deploy.names import ROOT

PAGES = sorted(
    [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")], key=lambda path: path.relative_to(ROOT).as_posix()
)
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.MULTILINE | re.DOTALL)
SPAN = re.compile(r"`([^`\n]+)`")


@cache
def text(page: str) -> str:
    """Text of a document, by its path from the root."""
    return (ROOT / page).read_text()


def names() -> list[str]:
    """Paths of all documents."""
    return [path.relative_to(ROOT).as_posix() for path in PAGES]


def spans(page: str) -> list[str]:
    """What a document sets in backticks within its sentences."""
    return SPAN.findall(FENCE.sub("", text(page)))


def blocks(page: str, *languages: str) -> list[str]:
    """Its blocks of code in some languages."""
    return [code for language, code in FENCE.findall(text(page)) if language in languages]

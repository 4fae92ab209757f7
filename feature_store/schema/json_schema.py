"""JSON Schema of what producers and consumers exchange, published beside the code.

``python -m feature_store.schema.json_schema`` writes the files; a test checks that they are current.
"""

from pathlib import Path
from typing import Any

import msgspec

from feature_store.schema.events import Event
from feature_store.schema.requests import RankError, RankRequest, RankResponse
from feature_store.schema.topics import EVENTS, RANK_REQUESTS, RANK_RESPONSES

PUBLISHED = Path(__file__).parent / "published"

_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_TYPES: dict[str, tuple[Any, ...]] = {
    EVENTS: (Event,),
    RANK_REQUESTS: (RankRequest,),
    RANK_RESPONSES: (RankResponse, RankError),
}
"""Topic -> types of its values."""


def schemas() -> dict[str, str]:
    """File name -> JSON Schema of the values of one topic."""
    return {f"{topic}.json": _schema(topic, types) for topic, types in _TYPES.items()}


def publish(folder: Path = PUBLISHED) -> list[Path]:
    """Write all schemas into ``folder``; their paths."""
    folder.mkdir(exist_ok=True)
    paths = [folder / name for name in schemas()]
    for path, text in zip(paths, schemas().values(), strict=True):
        path.write_text(text)
    return paths


def _schema(topic: str, types: tuple[Any, ...]) -> str:
    roots, definitions = msgspec.json.schema_components(types, ref_template="#/$defs/{name}")
    values = roots[0] if len(roots) == 1 else {"anyOf": list(roots)}
    schema = {"$schema": _DIALECT, "title": topic, **values, "$defs": definitions}
    return msgspec.json.format(msgspec.json.encode(schema, order="deterministic"), indent=2).decode() + "\n"


if __name__ == "__main__":
    for written in publish():
        print(written)

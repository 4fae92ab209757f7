"""The published JSON Schema files are those of the code."""

import json

from feature_store.schema.json_schema import PUBLISHED, schemas


def test_the_published_files_are_current() -> None:
    published = {path.name: path.read_text() for path in PUBLISHED.glob("*.json")}
    assert published == schemas(), "run `python -m feature_store.schema.json_schema` and commit the files"


def test_every_event_type_is_described_with_its_required_fields() -> None:
    definitions = json.loads(schemas()["events.json"])["$defs"]
    required = {schema["title"]: set(schema["required"]) for schema in definitions.values()}
    common = {"type", "event_id", "event_time_ms"}
    assert required == {
        "ItemEvent": common | {"item_id"},
        "ItemRemovedEvent": common | {"item_id"},
        "UserEvent": common | {"user_id"},
        "ImpressionEvent": common | {"user_id", "item_id"},
        "InteractionEvent": common | {"user_id", "item_id", "action"},
    }

"""An ingestor over three source partitions, and its batches read back as plain rows."""

import json
from collections.abc import Iterator
from typing import NamedTuple

from feature_store.items import ItemTable
from feature_store.outbound import Outbound
from feature_store.schema.batches import EntityBatch, SourceRanges, decode_entity_batch
from feature_store.schema.feedback import decode_feedback
from feature_store.schema.topics import DEAD_LETTER, FEEDBACK, batch_topic
from streams.ingest.ingestor import Ingestor, Output
from streams.ingest.records import Run
from streams.ingest.routes import EntityRoute
from streams.ingest.settings import IngestSettings

NOW_MS = 1_700_000_000_000
SEEN_AND_DONE = frozenset({"impression", "interaction/*"})
ROUTES = (
    EntityRoute(
        "user",
        SEEN_AND_DONE | {"user"},
        ("item_hash", "creator_hash", "attribute.country", "attribute.genres[2]"),
    ),
    EntityRoute("item", frozenset({"impression", "interaction/click", "item"}), ("attribute.popularity",)),
    EntityRoute("creator", SEEN_AND_DONE, ()),
    EntityRoute("user|creator", SEEN_AND_DONE, ()),
    EntityRoute("user|genres", SEEN_AND_DONE, ()),
)


class Row(NamedTuple):
    """One row of a batch."""

    entity_id: str
    event: str
    value: float
    source: tuple[int, int]


def event(kind: str, event_id: str, **fields: object) -> bytes:
    """The JSON of an event at `NOW_MS`."""
    return json.dumps({"type": kind, "event_id": event_id, "event_time_ms": NOW_MS, **fields}).encode()


def impression(event_id: str, user_id: str = "u1", item_id: str = "i1", **fields: object) -> bytes:
    return event("impression", event_id, user_id=user_id, item_id=item_id, **fields)


def click(event_id: str, user_id: str = "u1", item_id: str = "i1", **fields: object) -> bytes:
    return event("interaction", event_id, user_id=user_id, item_id=item_id, action="click", **fields)


def item(event_id: str, item_id: str = "i1", **fields: object) -> bytes:
    return event("item", event_id, item_id=item_id, **fields)


def run(*values: bytes | None, partition: int = 0, first: int = 0, time_ms: int = NOW_MS) -> Run:
    """Records at consecutive offsets."""
    n = len(values)
    return Run(partition, list(range(first, first + n)), [time_ms] * n, [None] * n, list(values))


def ingestor(table: ItemTable | None = None, emit_from: int = 0, window: int = 1000) -> Ingestor:
    """An ingestor that owns the partitions 0, 1 and 2."""
    made = Ingestor(
        IngestSettings(ingest_duplicate_window=window, batch_partitions=4),
        ROUTES,
        ItemTable() if table is None else table,
    )
    starts = dict.fromkeys(range(3), emit_from)
    made.assign(starts, dict.fromkeys(range(3), max(0, emit_from - window)))
    return made


def batches(output: Output, entity: str) -> Iterator[tuple[int, EntityBatch]]:
    """Partition and content of each batch of an entity."""
    for message in output.messages:
        if message.topic == batch_topic(entity):
            assert message.value is not None and message.partition is not None
            yield message.partition, decode_entity_batch(message.value)


def rows(output: Output, entity: str) -> list[Row]:
    """All rows of an entity, by source."""
    return sorted(
        (row for _, batch in batches(output, entity) for row in rows_of(batch)), key=lambda row: row.source
    )


def rows_of(batch: EntityBatch) -> list[Row]:
    return [
        Row(
            batch.entity_ids[batch.entity_index[i]],
            batch.event_names[batch.event_index[i]],
            float(batch.value[i]),
            (int(batch.source_partition[i]), int(batch.source_offset[i])),
        )
        for i in range(len(batch))
    ]


def feedback(output: Output) -> list[dict[str, object]]:
    """All rows of the feedback batches, in the order of their messages."""
    return [row for message in output.messages if message.topic == FEEDBACK for row in _decoded(message)[0]]


def feedback_ranges(output: Output) -> list[SourceRanges]:
    return [_decoded(message)[1] for message in output.messages if message.topic == FEEDBACK]


def dead_letters(output: Output) -> list[tuple[bytes | None, dict[str, object]]]:
    """Value and headers of each dead letter."""
    return [
        (message.value, dict(message.headers or []))
        for message in output.messages
        if message.topic == DEAD_LETTER
    ]


def _decoded(message: Outbound) -> tuple[list[dict[str, object]], SourceRanges]:
    assert message.value is not None
    table, ranges = decode_feedback(message.value)
    return table.to_pylist(), ranges

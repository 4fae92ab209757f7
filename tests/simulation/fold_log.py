"""A batch log as ingest may write it, crashes included: batches of one partition of `batches.<entity>`."""

import random
import re

import numpy as np

from feature_store.schema.batches import EntityBatch, SourceRanges, encode_entity_batch
from feature_store.views import FeatureView

NOW_MS = 1_700_000_000_000
EVENTS = (
    "impression",
    "interaction/click",
    "interaction/like",
    "interaction/block_creator",
    "interaction/unblock_creator",
    "user",
)
SOURCES = 3
_WIDTH = re.compile(r"\[(\d+)\]$")

Row = dict[str, object]


Log = dict[int, list[bytes]]
"""Partition -> its batches, the first at offset 0."""


def make_log(seed: int, views: tuple[FeatureView, ...], *, batches: int) -> Log:
    """Two partitions of ``batches`` batches, with ids of their own."""
    return {
        partition: make_partition(seed + partition, views, batches=batches, prefix=f"p{partition}e")
        for partition in (1, 2)
    }


def make_partition(
    seed: int, views: tuple[FeatureView, ...], *, batches: int, prefix: str, entities: int = 12
) -> list[bytes]:
    """``batches`` payloads from three source partitions, each read by an ingest that is sometimes killed.

    A killed ingest goes on from its committed offset, which is at or before what it has written: the
    same events come again, in batches with other boundaries.
    """
    rng = random.Random(seed)
    columns = sorted({name for view in views for name in view.inputs})
    events: dict[tuple[int, int], list[Row]] = {}
    written = [0] * SOURCES
    log = []
    for _ in range(batches):
        ranges = _ranges(rng, written)
        places = [(n, at) for n, (first, last) in ranges.items() for at in range(first, last + 1)]
        rows = []
        for place in places:
            if place not in events:
                events[place] = _rows(rng, columns, [f"{prefix}{n}" for n in range(entities)])
            rows += [(*place, row) for row in events[place]]
        log.append(encode_entity_batch(_batch(rows, ranges, columns)))
    return log


def _ranges(rng: random.Random, written: list[int]) -> SourceRanges:
    ranges = {}
    for source in sorted(rng.sample(range(SOURCES), rng.randint(1, SOURCES))):
        back = rng.randint(1, 6) if rng.random() < 0.25 else 0
        first = max(0, written[source] - back)
        last = first + rng.randint(0, 7)
        ranges[source] = (first, last)
        written[source] = max(written[source], last + 1)
    return ranges


def _rows(rng: random.Random, columns: list[str], entities: list[str]) -> list[Row]:
    """The rows that one event gives to our partition: none, one, or several as to multi-valued attributes."""
    event, time_ms = rng.choice(EVENTS), NOW_MS + rng.randint(-(10**8), 10**8)
    return [
        {
            "entity_id": entity,
            "event": event,
            "event_time_ms": time_ms,
            "value": rng.gauss(0, 1),
            **{name: _extra(rng, name) for name in columns},
        }
        for entity in rng.sample(entities, rng.randint(0, 3))
    ]


def _extra(rng: random.Random, name: str) -> float | list[float]:
    width = _WIDTH.search(name)
    values = [
        float("nan") if rng.random() < 0.2 else float(rng.randint(1, 9))
        for _ in range(int(width[1]) if width else 1)
    ]
    return values if width else values[0]


def _batch(rows: list[tuple[int, int, Row]], ranges: SourceRanges, columns: list[str]) -> EntityBatch:
    def column(name: str, dtype: type) -> np.ndarray:
        width = _WIDTH.search(name)
        shape = (len(rows), int(width[1])) if width else (len(rows),)
        return np.array([row[name] for *_, row in rows], dtype).reshape(shape)

    ids, events = (list(dict.fromkeys(row[name] for *_, row in rows)) for name in ("entity_id", "event"))
    return EntityBatch(
        entity_ids=ids,
        entity_index=np.array([ids.index(row["entity_id"]) for *_, row in rows], np.int32),
        event_names=events,
        event_index=np.array([events.index(row["event"]) for *_, row in rows], np.int32),
        event_time_ms=column("event_time_ms", np.int64),
        value=column("value", np.float64),
        source_partition=np.array([source for source, _, _ in rows], np.int32),
        source_offset=np.array([offset for _, offset, _ in rows], np.int64),
        ranges=ranges,
        extra={name: column(name, np.float64) for name in columns},
    )

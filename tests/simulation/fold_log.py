"""A batch log as ingest may write it, crashes included: batches of one partition of `batches.<entity>`."""

import re
from dataclasses import dataclass

import numpy as np

from feature_store.schema.batches import EntityBatch, encode_entity_batch
from feature_store.views import FeatureView

NOW_MS = 1_700_000_000_000
EVENTS = ("impression", "interaction/click", "interaction/like", "interaction/dwell", "item", "user")
_WIDTH = re.compile(r"\[(\d+)\]$")


@dataclass(frozen=True)
class Source:
    """One partition of `events`: for each offset the rows that its event gives to our batch partition."""

    partition: int
    rows_per_offset: list[int]


def make_log(seed: int, views: tuple[FeatureView, ...], *, batches: int, entities: int = 12) -> list[bytes]:
    """``batches`` payloads from three source partitions, each read by an ingest that is sometimes killed.

    A killed ingest goes on from its committed offset, which is at or before what it has written: the
    same events come again, in batches with other boundaries.
    """
    rng = np.random.default_rng(seed)
    sources = [Source(n, rng.integers(0, 4, 40 * batches).tolist()) for n in range(3)]
    columns = sorted({name for view in views for name in view.inputs})
    event_rows = [
        [_rows(rng, count, columns, entities) for count in source.rows_per_offset] for source in sources
    ]
    written = [0] * len(sources)
    log = []
    while len(log) < batches:
        picked = sorted(rng.choice(len(sources), rng.integers(1, len(sources) + 1), replace=False).tolist())
        spans = {}
        for number in picked:
            back = int(rng.integers(0, 6)) if rng.random() < 0.25 else 0
            first = max(0, written[number] - back)
            last = first + int(rng.integers(0, 8))
            spans[number] = (first, last)
            written[number] = max(written[number], last + 1)
        log.append(encode_entity_batch(_batch(event_rows, spans, columns)))
    return log


def _rows(rng: np.random.Generator, count: int, columns: list[str], entities: int) -> list[dict]:
    time_ms = NOW_MS + int(rng.integers(-(10**8), 10**8))
    event = EVENTS[int(rng.integers(len(EVENTS)))]
    return [
        {
            "entity_id": f"e{int(rng.integers(entities))}",
            "event": event,
            "event_time_ms": time_ms,
            "value": float(rng.normal()),
            "extra": {name: _extra(rng, name) for name in columns},
        }
        for _ in range(count)
    ]


def _extra(rng: np.random.Generator, name: str) -> np.ndarray | float:
    width = _WIDTH.search(name)
    values = rng.integers(1, 2**53, int(width[1]) if width else 1).astype(float)
    values[rng.random(len(values)) < 0.2] = np.nan
    return values if width else float(values[0])


def _batch(
    event_rows: list[list[list[dict]]], spans: dict[int, tuple[int, int]], columns: list[str]
) -> EntityBatch:
    places = [(n, at) for n, (first, last) in spans.items() for at in range(first, last + 1)]
    rows = [(n, at, row) for n, at in places for row in event_rows[n][at]]
    entity_ids = list(dict.fromkeys(row["entity_id"] for *_, row in rows))
    event_names = list(dict.fromkeys(row["event"] for *_, row in rows))
    return EntityBatch(
        entity_ids=entity_ids,
        entity_index=np.array([entity_ids.index(row["entity_id"]) for *_, row in rows], np.int32),
        event_names=event_names,
        event_index=np.array([event_names.index(row["event"]) for *_, row in rows], np.int32),
        event_time_ms=np.array([row["event_time_ms"] for *_, row in rows], np.int64),
        value=np.array([row["value"] for *_, row in rows], np.float64),
        source_partition=np.array([n for n, _, _ in rows], np.int32),
        source_offset=np.array([at for _, at, _ in rows], np.int64),
        ranges=spans,
        extra={name: _column(name, rows) for name in columns},
    )


def _column(name: str, rows: list[tuple[int, int, dict]]) -> np.ndarray:
    width = _WIDTH.search(name)
    shape = (len(rows), int(width[1])) if width else (len(rows),)
    return np.array([row["extra"][name] for *_, row in rows], np.float64).reshape(shape)

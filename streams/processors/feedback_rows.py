"""Reads a message of `batches.feedback` as the join wants it: what is new, what was seen, what was done."""

from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.batches import SourceRanges
from streams.processors.join_keys import exposure_keys
from streams.processors.outcomes import Outcome

_IMPRESSION = "impression"
_KEPT = ["user_id", "item_id", "request_id", "position", "propensity", "event_time_ms"]


class Seen(NamedTuple):
    """The impressions of a message, with their keys."""

    rows: pa.RecordBatch
    keys: list[str]


def new_rows(rows: pa.RecordBatch, ranges: SourceRanges, high_water: dict[int, int]) -> pa.RecordBatch:
    """Rows whose source offset is above the high water of its source partition."""
    if all(first > high_water.get(partition, -1) for partition, (first, _) in ranges.items()):
        return rows
    partitions = rows.column("source_partition").to_numpy()
    offsets = rows.column("source_offset").to_numpy()
    fresh = np.ones(len(rows), np.bool_)
    for partition, last in high_water.items():
        fresh &= (partitions != partition) | (offsets > last)
    return rows.filter(pa.array(fresh))


def raise_high_water(high_water: dict[int, int], ranges: SourceRanges) -> dict[int, int]:
    """The high water after a message that covers ``ranges``."""
    return high_water | {
        partition: max(last, high_water.get(partition, -1)) for partition, (_, last) in ranges.items()
    }


def split_feedback(rows: pa.RecordBatch, time_ms: int, offset: int) -> tuple[Seen, list[tuple[str, Outcome]]]:
    """The impressions, and the interactions as (key, outcome), each in their order."""
    keys = exposure_keys(rows)
    seen = pc.equal(rows.column("event"), _IMPRESSION).to_numpy(zero_copy_only=False)
    if seen.all():
        return Seen(rows.select(_KEPT), keys), []
    places = np.flatnonzero(seen)
    impressions = Seen(rows.select(_KEPT).take(pa.array(places)), [keys[place] for place in places])
    return impressions, _interactions(rows, keys, np.flatnonzero(~seen), time_ms, offset)


def _interactions(
    rows: pa.RecordBatch,
    keys: list[str],
    places: "np.ndarray[tuple[int], np.dtype[np.intp]]",
    time_ms: int,
    offset: int,
) -> list[tuple[str, Outcome]]:
    done = rows.select(["event", "value", "event_time_ms"]).take(pa.array(places))
    columns = (column.to_pylist() for column in done.columns)
    return [
        (keys[place], Outcome(time_ms, offset, event.partition("/")[2], value, event_time_ms))
        for place, event, value, event_time_ms in zip(places, *columns, strict=True)
    ]

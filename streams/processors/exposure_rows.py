"""Builds the columns of `exposures` from references to what was served, seen and done."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from feature_store.schema.exposures import EXPOSURE_FIELDS, LATE, ON_TIME, ORPHAN, SOURCE_RANGE
from feature_store.schema.served import SERVED_FIELDS
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from streams.processors.impressions import Impression, ImpressionMessage
from streams.processors.outcomes import Outcome
from streams.processors.served_index import ServedRow, gather_by_layout

_STATUSES = (ON_TIME, LATE, ORPHAN)
_TYPES = {column.name: column.type for column in EXPOSURE_FIELDS}
_OF_IMPRESSION = {
    "request_id": "request_id",
    "user_id": "user_id",
    "item_id": "item_id",
    "position_seen": "position",
    "propensity_seen": "propensity",
    "impression_time_ms": "event_time_ms",
}


class Exposure(NamedTuple):
    """One exposure at one revision, as references.

    Attributes
    ----------
    served : None for an organic or orphan impression
    outcomes : the interactions folded in, in log order
    """

    impression: Impression
    served: ServedRow | None
    outcomes: Sequence[Outcome]
    status: str


def build_exposures(exposures: Sequence[Exposure], partition: int) -> Iterator[pa.RecordBatch]:
    """Rows of ``exposures``, one batch per layout of the served rows."""
    for places, served in gather_by_layout([exposure.served for exposure in exposures]):
        chosen = [exposures[place] for place in places.tolist()]
        columns = _served_columns(served, len(chosen)) | _impression_columns(chosen) | _joined_columns(chosen)
        columns["source_ranges"] = _source_ranges(chosen, partition)
        yield pa.RecordBatch.from_pydict({name: columns[name] for name in _TYPES})


def _served_columns(served: pa.Table | None, n: int) -> dict[str, pa.Array]:
    if served is None:
        return {column.name: pa.nulls(n, column.type) for column in SERVED_FIELDS}
    rows = served.combine_chunks().to_batches()[0]
    return dict(zip(rows.schema.names, rows.columns, strict=True))


def _impression_columns(exposures: Sequence[Exposure]) -> dict[str, pa.Array]:
    starts: dict[ImpressionMessage, int] = {}
    end = 0
    for message, _ in (exposure.impression for exposure in exposures):
        if message not in starts:
            starts[message] = end
            end += len(message.keys)
    index = pa.array([starts[message] + place for message, place in (e.impression for e in exposures)])
    seen = pa.Table.from_batches([message.rows for message in starts])
    rows = seen.select(sorted(set(_OF_IMPRESSION.values()))).take(index).combine_chunks()
    return {name: rows.column(source).combine_chunks() for name, source in _OF_IMPRESSION.items()}


def _joined_columns(exposures: Sequence[Exposure]) -> dict[str, pa.Array]:
    status = pa.array([_STATUSES.index(exposure.status) for exposure in exposures], pa.int32())
    times = [_last_time_ms(exposure.outcomes) if exposure.outcomes else None for exposure in exposures]
    return {
        "outcomes": _outcomes([sum_by_action(exposure.outcomes) for exposure in exposures]),
        "outcome_time_ms": pa.array(times, pa.int64()),
        "status": pa.DictionaryArray.from_arrays(status, pa.array(_STATUSES)),
        "revision": pa.array([len(exposure.outcomes) for exposure in exposures], pa.int32()),
    }


def _last_time_ms(outcomes: Sequence[Outcome]) -> int:
    return max(outcome.event_time_ms for outcome in outcomes)


def sum_by_action(outcomes: Sequence[Outcome]) -> dict[str, float]:
    """Sum of the values of each action, added in log order."""
    totals: dict[str, float] = {}
    for outcome in outcomes:
        totals[outcome.action] = totals.get(outcome.action, 0.0) + outcome.value
    return totals


def _outcomes(totals: Sequence[dict[str, float]]) -> pa.Array:
    actions = [action for one in totals for action in one]
    values = [value for one in totals for value in one.values()]
    return pa.MapArray.from_arrays(
        pa.array(_offsets([len(one) for one in totals])),
        pa.array(actions, pa.string()),
        pa.array(values, pa.float64()),
    )


def _source_ranges(exposures: Sequence[Exposure], partition: int) -> pa.Array:
    """Per row the message of `rank.served`, where all have one or none has, and the span of feedback."""
    feedback = np.array([_feedback_span(exposure) for exposure in exposures])
    served = [exposure.served[0].offset for exposure in exposures if exposure.served]
    spans = np.hstack((np.repeat(served, 2).reshape(-1, 2), feedback)) if served else feedback
    topics = [RANK_SERVED, FEEDBACK] if served else [FEEDBACK]
    first_last = spans.reshape(-1, 2)
    columns = [
        pa.array(topics * len(exposures), pa.string()),
        pa.array(np.full(len(first_last), partition, np.int32)),
        pa.array(first_last[:, 0], pa.int64()),
        pa.array(first_last[:, 1], pa.int64()),
    ]
    structs = pa.StructArray.from_arrays(columns, fields=list(SOURCE_RANGE))
    offsets = np.arange(len(exposures) + 1, dtype=np.int32) * len(topics)
    return pa.ListArray.from_arrays(pa.array(offsets), structs)


def _feedback_span(exposure: Exposure) -> tuple[int, int]:
    offset = exposure.impression[0].offset
    if not exposure.outcomes:
        return offset, offset
    return min(offset, exposure.outcomes[0].offset), max(offset, exposure.outcomes[-1].offset)


def _offsets(counts: Sequence[int]) -> NDArray[np.int32]:
    return np.concatenate(([0], np.cumsum(counts))).astype(np.int32)

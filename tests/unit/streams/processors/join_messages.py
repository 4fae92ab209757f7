"""Messages of the join's two logs, and a joiner to read them, for its tests."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from feature_store.schema.feedback import FEEDBACK_SCHEMA
from feature_store.schema.served import NOT_SERVED, RowMarks, ServedRequest, decode_served, encode_served
from feature_store.schema.topics import FEEDBACK, RANK_SERVED
from streams.processors.exposure_join import ExposureJoiner
from streams.processors.join_checkpoint import JoinCheckpoint, first_offset, floors
from streams.processors.join_metrics import JoinMetrics
from streams.processors.join_window import JoinWindow
from streams.processors.log_reader import LogReader
from streams.processors.start import LogBounds, TopicIdentity
from tests.oracles.exposures import Answer, Event, Feedback

CLOSE_MS, LATE_MS = 3, 5


def topic(name: str) -> TopicIdentity:
    return TopicIdentity(name, f"id of {name}", 1)


def log_readers(
    checkpoint: JoinCheckpoint | None = None, ends: Mapping[str, int] | None = None
) -> dict[str, LogReader]:
    return {
        name: _log_reader(name, checkpoint, LogBounds(0, (ends or {}).get(name, 0)))
        for name in (FEEDBACK, RANK_SERVED)
    }


def _log_reader(name: str, checkpoint: JoinCheckpoint | None, log: LogBounds) -> LogReader:
    position = checkpoint and checkpoint.position(name)
    first = first_offset(position, topic(name), 0, log)
    return LogReader(topic(name), 0, first, floors(checkpoint, name, log))


def joiner(
    metrics: JoinMetrics,
    checkpoint: JoinCheckpoint | None = None,
    logs: Mapping[str, LogReader] | None = None,
    held_bytes_max: int = 1 << 30,
) -> ExposureJoiner:
    logs = logs or log_readers()
    return ExposureJoiner(
        0,
        JoinWindow(CLOSE_MS, LATE_MS),
        logs[FEEDBACK],
        logs[RANK_SERVED],
        checkpoint,
        held_bytes_max=held_bytes_max,
        metrics=metrics,
    )


def served_request(
    answer: Answer,
    heads: tuple[str, ...] = ("click",),
    width: int = 3,
    *,
    nudge: Sequence[float] | None = None,
    **told: Any,
) -> ServedRequest:
    """What the ranker logs of an answer: the items in their order, then those that were only scored.

    ``nudge`` is that of each; ``told`` replaces other fields.
    """
    item_ids = [*answer.items, *answer.scored_only]
    n = len(item_ids)
    position = np.arange(n, dtype=np.int32)
    position[len(answer.items) :] = NOT_SERVED
    score = np.linspace(1, 0, n)
    nudges = np.zeros(n) if nudge is None else np.array(nudge)
    served = len(answer.items)
    request = ServedRequest(
        request_id=answer.request,
        user_id=answer.user,
        surface="home",
        item_ids=item_ids,
        position=position,
        raw_score=score,
        nudge=nudges,
        published_score=score + nudges,
        heads={head: score.astype(np.float32) for head in heads},
        propensity=np.ones(n),
        policy="greedy",
        model_version="counters:1",
        fingerprint="9c1f",
        served_time_ms=answer.time_ms,
        finalize_time_ms=answer.time_ms,
        sampled=False,
        features=np.arange(served * width, dtype=np.float32).reshape(served, width) + answer.time_ms,
        ids=np.arange(served, dtype=np.int64).reshape(served, 1),
        row_marks=RowMarks(("item",), np.zeros((1, served), np.int32), np.arange(served).reshape(1, served)),
    )
    return replace(request, **told)


def served_rows(answer: Answer) -> pa.RecordBatch:
    return decode_served(encode_served([served_request(answer)])[0])


def feedback_rows(message: Feedback, source_offset: int = 0, source_partition: int = 0) -> pa.RecordBatch:
    rows = [
        _row(event, source_partition, source_offset + place) for place, event in enumerate(message.events)
    ]
    return pa.RecordBatch.from_pylist(rows, FEEDBACK_SCHEMA)


def _row(event: Event, source_partition: int, source_offset: int) -> dict[str, object]:
    return {
        "user_id": event.user,
        "item_id": event.item,
        "request_id": event.request,
        "event": "impression" if event.action is None else f"interaction/{event.action}",
        "value": event.value,
        "event_time_ms": event.event_time_ms,
        "source_partition": source_partition,
        "source_offset": source_offset,
    }

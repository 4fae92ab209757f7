"""Exposures that tests make up: their rows, and the messages in which they are on the topic."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from feature_store.schema.exposures import EXPOSURE_FIELDS, encode_exposures
from feature_store.schema.topics import EXPOSURES

MODEL = "timeline_ranker:3"


def exposures(n: int, **columns) -> pa.RecordBatch:
    """``n`` rows of `exposures`, on time and by one model; what is not said is null."""
    types = {field.name: field.type for field in EXPOSURE_FIELDS}
    said = {"model_version": [MODEL] * n, "status": ["on_time"] * n, **columns}
    arrays = {name: pa.nulls(n, kind) for name, kind in types.items()}
    for name, values in said.items():
        arrays[name] = pa.array(values) if name == "heads" else pa.array(values, types[name])
    return pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))


def scored(ids, *, raw, nudge, clicked, served_time_ms, model=MODEL, **columns) -> pa.RecordBatch:
    """Rows of a ranker that logs its scores and what it nudged them by."""
    n = len(ids)
    return exposures(
        n,
        request_id=[f"r{k}" for k in range(n)],
        user_id=["u"] * n,
        item_id=ids,
        raw_score=raw,
        nudge=nudge,
        published_score=raw + nudge,
        propensity=np.ones(n),
        model_version=[model] * n,
        served_time_ms=np.full(n, served_time_ms),
        outcomes=[[("click", 1.0)] if one else [] for one in clicked],
        revision=np.asarray(clicked, np.int32),
        **columns,
    )


def shown(n, ids, raw, nudge, rng, **told) -> pa.RecordBatch:
    """``n`` rows drawn by the softmax of published scores, of which a fifth is clicked."""
    chance = np.exp(raw + nudge) / np.exp(raw + nudge).sum()
    items = rng.choice(len(ids), n, p=chance)
    clicked = rng.random(n) < 0.2
    return scored([ids[item] for item in items], raw=raw[items], nudge=nudge[items], clicked=clicked, **told)


def messages(
    epoch: int, epoch_ms: int, rows: pa.RecordBatch, partitions: int = 1
) -> Iterator[tuple[str, int, int, bytes]]:
    """(topic, partition, stamp ms, payload) of the rows of an epoch, joined half a second after its end."""
    share = -(-len(rows) // partitions)
    for partition in range(partitions):
        for payload in encode_exposures(rows.slice(partition * share, share)):
            yield EXPOSURES, partition, (epoch + 1) * epoch_ms + 500, payload

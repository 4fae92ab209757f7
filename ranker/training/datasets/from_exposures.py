"""Training sets from `exposures`: features as served, labels as they were when a window had passed."""

from collections.abc import Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.assignments import Mask, arms, marks
from feature_store.schema.exposures import latest_exposures
from feature_store.views import FeatureService
from ranker.training.datasets.dataset import (
    ARM,
    FEATURE,
    FIXED,
    ID,
    LABEL,
    Dataset,
    Description,
    importance_weights,
    in_order,
)
from ranker.training.sound import CONSISTENT, Test, closed, kept_by, newest_ms

Offsets = dict[int, tuple[int, int]]


def from_exposures(
    revisions: Iterable[pa.RecordBatch],
    offsets: Offsets,
    service: FeatureService,
    *,
    label_window_s: float,
    weight_max: float,
) -> Dataset:
    """The exposures that were served with ``service``, seen, and have had their time to be acted on.

    Of each exposure the revision counts that its window ends with, so a label that came late counts if it
    came within the window, and what came after it does not. Negatives are items that were seen and not acted
    on; what was only scored, or served and never seen, is no row.

    Parameters
    ----------
    revisions : messages of `exposures`, all revisions
    offsets : what was read of each partition
    """
    window_ms = round(label_window_s * 1000)
    tables = [pa.Table.from_batches([batch]) for batch in revisions]
    end_ms = max((newest_ms(table) for table in tables), default=0)
    everything = latest_exposures(batch for table in tables for batch in table.to_batches())
    within = latest_exposures(batch for table in tables for batch in _within(table, window_ms).to_batches())
    kept, left_out = _usable(within, service, end_ms - window_ms)
    left_out["acted on before, but first written after the window"] = len(everything) - len(within)
    marked = marks(kept)
    rows = in_order(_flat(kept, marked, service, weight_max))
    impressions = pc.min_max(rows["impression_time_ms"]).as_py()
    return Dataset(
        rows,
        Description(
            source="exposures",
            service=service.name,
            fingerprint=service.fingerprint,
            offsets=offsets,
            label_window_s=label_window_s,
            impressions_from_ms=impressions["min"],
            impressions_until_ms=impressions["max"],
            weight_max=weight_max,
            left_out={reason: count for reason, count in left_out.items() if count},
            flagged={mark: int(mask.sum()) for mark, mask in marked.items()},
        ),
    )


def _within(table: pa.Table, window_ms: int) -> pa.Table:
    """The revisions that hold nothing from after their window."""
    after = pc.greater(table["outcome_time_ms"], pc.add(table["impression_time_ms"], window_ms))
    return table.filter(pc.invert(after.fill_null(False)))


def _usable(table: pa.Table, service: FeatureService, closed_ms: int) -> tuple[pa.Table, dict[str, int]]:
    """The rows that can be learned from, and how many could not, by reason."""
    tests: dict[str, Test] = {
        "without features: organic, or only scored": lambda rows: pc.is_valid(rows["features"]),
        "without a position where they were seen": lambda rows: pc.is_valid(rows["position_seen"]),
        "served with other features": lambda rows: pc.equal(
            rows["fingerprint"].cast(pa.string()), service.fingerprint
        ),
        **CONSISTENT,
        **closed(closed_ms),
    }
    return kept_by(tests, table)


def _flat(table: pa.Table, marked: dict[str, Mask], service: FeatureService, weight_max: float) -> pa.Table:
    propensity = pc.coalesce(table["propensity_seen"], table["propensity"])
    columns = {
        "time_ms": table["finalize_time_ms"],
        "position": table["position_seen"],
        "propensity": propensity,
        "importance_weight": importance_weights(propensity, weight_max),
        "explored": pa.array(marked["explored"]),
        "held_out": pa.array(marked["held_out"]),
    }
    as_logged = {name: table[name] for name in FIXED if name not in columns}
    fixed = {name: (columns | as_logged)[name].cast(kind) for name, kind in FIXED.items()}
    drawn = {ARM + experiment: arm for experiment, arm in arms(table).items()}
    dense = _lists(table, "features", (*service.user, *service.candidate), FEATURE, np.float32)
    ids = _lists(table, "ids", service.id_columns, ID, np.int64)
    return pa.table({**fixed, **drawn, **_labels(table), **dense, **ids})


def _lists(
    table: pa.Table, name: str, columns: tuple[str, ...], prefix: str, dtype: type
) -> dict[str, np.ndarray[tuple[int], np.dtype[np.generic]]]:
    """The values of a fixed-size list as columns of their own."""
    if not len(table):
        return {prefix + column: np.empty(0, dtype) for column in columns}
    flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    matrix = flat.reshape(len(table), len(columns)).astype(dtype)
    return {prefix + column: matrix[:, place] for place, column in enumerate(columns)}


def _labels(table: pa.Table) -> dict[str, np.ndarray[tuple[int], np.dtype[np.float32]]]:
    """The sum of the values of each action; click is always there."""
    outcomes = table["outcomes"].combine_chunks()
    n = len(table)
    if not n or not len(outcomes.keys):
        return {f"{LABEL}click": np.zeros(n, np.float32)}
    rows = np.repeat(np.arange(n), np.diff(outcomes.offsets.to_numpy()))
    actions = np.array(outcomes.keys.to_pylist(), object)
    values = outcomes.items.to_numpy(zero_copy_only=False)
    labels = {}
    for action in sorted({"click", *actions.tolist()}):
        label = np.zeros(n, np.float32)
        label[rows[actions == action]] = values[actions == action]
        labels[LABEL + action] = label
    return labels

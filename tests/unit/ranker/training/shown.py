"""Exposures that say how they came to be shown, for tests of what training makes of that."""

import numpy as np
import pyarrow as pa

from feature_store.schema.exposures import EXPOSURE_FIELDS

ASSIGNMENTS = next(field.type for field in EXPOSURE_FIELDS if field.name == "assignments")
DELTA = 0.5


def shown(exposures: pa.Table, turned: float = 1.0) -> pa.Table:
    """``exposures`` of items ordered by their last feature and a nudge; ``turned`` −1: by the opposite one.

    Every fourth request explores, at position 2; every fifth is of a user who is held out, and not nudged.
    """
    n = len(exposures)
    request = np.unique(exposures["request_id"].to_pylist(), return_inverse=True)[1]
    held, explores = request % 5 == 0, request % 4 == 0
    raw = exposures["features"].combine_chunks().flatten().to_numpy().reshape(n, -1)[:, -1].astype(np.float64)
    coins = np.random.default_rng(7).choice([-1.0, 1.0], n)
    nudge = np.where(held, 0.0, turned * DELTA * coins)
    columns = {
        "position": exposures["position_seen"],
        "raw_score": pa.array(raw),
        "nudge": pa.array(nudge),
        "published_score": pa.array(raw + nudge),
        "policy": pa.array(["greedy:1"] * n).dictionary_encode(),
        "model_version": pa.array(["timeline_ranker:1"] * n).dictionary_encode(),
        "assignments": pa.array(list(map(_drawn, held.tolist(), explores.tolist())), ASSIGNMENTS),
    }
    for name, column in columns.items():
        exposures = exposures.append_column(name, column)
    return exposures


def _drawn(held: bool, explores: bool) -> list[dict[str, object]]:
    if held:
        return [{"experiment": "holdout", "variant": "holdout", "propensity": 0.2}]
    return [
        {"experiment": "holdout", "variant": "treatment", "propensity": 0.8},
        {"experiment": "exploration", "variant": "slot_2" if explores else "none", "propensity": 0.25},
    ]

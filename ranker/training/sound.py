"""What of our own exposures can be learned from: the rest contradicts itself, or came too late or too early.

A log from elsewhere that holds such rows is refused as a whole (`ranker.training.datasets.dataset.check`).
Ours is made by clients whose clocks differ and who repeat themselves: such rows are left out, and counted.
"""

from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Test = Callable[[pa.Table], pa.ChunkedArray]
"""Rows (n,) -> which of them stay."""


def kept_by(tests: Mapping[str, Test], exposures: pa.Table) -> tuple[pa.Table, dict[str, int]]:
    """The rows that pass all tests, and how many did not, by the name of the first test that they failed."""
    left_out = {}
    for reason, test in tests.items():
        kept = exposures.filter(test(exposures).fill_null(True))
        left_out[reason] = len(exposures) - len(kept)
        exposures = kept
    return exposures, left_out


def sound(exposures: pa.Table, window_ms: int | None = None) -> tuple[pa.Table, dict[str, int]]:
    """The exposures that can be learned from, and how many others there were, by reason.

    Parameters
    ----------
    exposures : latest revision of each; where they do not say when what happened, all stay
    window_ms : an exposure is young for so long after its impression; None: not longer than the join waits
    """
    if not {"impression_time_ms", "outcome_time_ms"} <= set(exposures.column_names):
        return exposures, {}
    tests = {**CONSISTENT, **({} if window_ms is None else closed(newest_ms(exposures) - window_ms))}
    kept, left_out = kept_by(tests, exposures)
    return kept, {reason: count for reason, count in left_out.items() if count}


def closed(until_ms: int) -> dict[str, Test]:
    """Younger exposures may be acted on still: they are no negatives yet."""
    return {
        "whose label window is not over": lambda rows: pc.less_equal(rows["impression_time_ms"], until_ms)
    }


def newest_ms(exposures: pa.Table) -> int:
    """The latest moment that a log has seen: what came before it has been given its time."""
    return max(pc.max(exposures[name]).as_py() or 0 for name in ("impression_time_ms", "outcome_time_ms"))


def _seen_first(exposures: pa.Table) -> pa.ChunkedArray:
    """The first impression of each item under a request; what has no request repeats nothing."""
    rank = np.empty(len(exposures), np.int64)
    rank[pc.sort_indices(exposures["impression_time_ms"]).to_numpy()] = np.arange(len(exposures))
    keys = exposures.select(["request_id", "item_id"]).append_column("rank", pa.array(rank))
    first = keys.group_by(["request_id", "item_id"], use_threads=False).aggregate([("rank", "min")])
    return pc.or_(pc.is_null(keys["request_id"]), pc.is_in(keys["rank"], first["rank_min"]))


CONSISTENT: dict[str, Test] = {
    "acted on before they were seen, by the clocks of clients": lambda rows: pc.greater_equal(
        rows["outcome_time_ms"], rows["impression_time_ms"]
    ),
    "seen again under the same request": _seen_first,
}

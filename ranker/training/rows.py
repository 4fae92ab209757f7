"""Training rows: what was served and seen, in the order of time, request by request."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ranker.training.errors import TrainingError
from triton_models.signature import RecentPlaces, Signature

Float32 = NDArray[np.float32]
Int64 = NDArray[np.int64]

MIN_POSITIVES = 50
"""An action other than click becomes a head from so many positives on."""

_COLUMNS = (
    "request_id",
    "item_id",
    "position_seen",
    "outcomes",
    "fingerprint",
    "finalize_time_ms",
    "features",
    "ids",
)
_PROPENSITIES = ("propensity_seen", "propensity")
"""The impression's own, then the answer's; exposures may have neither."""

_SHOWN = ("raw_score", "nudge", "published_score", "policy", "model_version", "assignments", "position")
"""How a row came to be shown: kept with it, and never read to learn, as it follows our own coins."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Seen candidates of r requests, n rows; rows of a request are adjacent, requests ordered by time.

    Attributes
    ----------
    dense : (n, d) float32, user columns, then candidate columns, as served
    ids : (n, m) int64, as served
    position : (n,) int64, 0-based, where the item was seen
    propensity : (n,) float32, of being there, NaN where it was not logged
    labels : head -> (n,) float32, 1 where the action happened
    starts : (r + 1,) int64, first row of each request, then n
    time_ms : (r,) int64, the moment that the request was ranked for
    recents : which columns of ``ids`` are what the user did last
    """

    dense: Float32
    ids: Int64
    position: Int64
    propensity: Float32
    labels: dict[str, Float32]
    starts: Int64
    time_ms: Int64
    recents: tuple[RecentPlaces, ...] = ()

    def __len__(self) -> int:
        return len(self.dense)

    @property
    def requests(self) -> int:
        """Number of requests."""
        return len(self.time_ms)

    @property
    def request(self) -> Int64:
        """(n,) index of each row's request."""
        return np.repeat(np.arange(self.requests), np.diff(self.starts))

    def between(self, first: int, end: int) -> "Rows":
        """Requests ``first`` to ``end - 1``."""
        rows = slice(self.starts[first], self.starts[end])
        return Rows(
            self.dense[rows],
            self.ids[rows],
            self.position[rows],
            self.propensity[rows],
            {head: label[rows] for head, label in self.labels.items()},
            self.starts[first : end + 1] - self.starts[first],
            self.time_ms[first:end],
            self.recents,
        )

    def where(self, kept: NDArray[np.bool_]) -> "Rows":
        """The rows of ``kept`` (n,), and the requests that have any."""
        sizes = np.bincount(self.request[kept], minlength=self.requests)
        left = sizes > 0
        return Rows(
            self.dense[kept],
            self.ids[kept],
            self.position[kept],
            self.propensity[kept],
            {head: label[kept] for head, label in self.labels.items()},
            np.concatenate(([0], np.cumsum(sizes[left]))).astype(np.int64),
            self.time_ms[left],
            self.recents,
        )


def rows_of(exposures: pa.Table, signature: Signature, heads: tuple[str, ...] | None = None) -> Rows:
    """Rows of the exposures that were served with ``signature`` and then seen.

    Parameters
    ----------
    exposures : latest revision of each (request, item)
    heads : actions to label; None: click, and every other that happened often enough

    Raises
    ------
    TrainingError
        A column is absent, nothing was served and seen, everything was served with other features,
        there is only one request, or nobody clicked.
    """
    table = _of_service(_seen(exposures), signature)
    order = _time_order(table)
    table = table.take(pa.array(order))
    starts = _starts(table)
    if len(starts) < 3:
        raise TrainingError("all exposures are of one request: a ranker learns from comparing several")
    return Rows(
        _matrix(table, "features", len(signature.user) + len(signature.candidate), np.float32),
        _matrix(table, "ids", len(signature.ids), np.int64),
        _numbers(table, "position_seen"),
        _propensity(table),
        _labels(table, heads),
        starts,
        _numbers(table, "finalize_time_ms")[starts[:-1]],
        signature.recent_places,
    )


def kept_columns(exposures: pa.Table) -> pa.Table:
    """What a rebuild needs, which is what :func:`rows_of` reads, and what says how each row was shown."""
    return _with(exposures, (*_PROPENSITIES, *_SHOWN))


def _with(exposures: pa.Table, others: tuple[str, ...]) -> pa.Table:
    """What no training can do without, and of the ``others`` those that there are."""
    return exposures.select([*_COLUMNS, *(name for name in others if name in exposures.column_names)])


def _seen(exposures: pa.Table) -> pa.Table:
    absent = [name for name in _COLUMNS if name not in exposures.column_names]
    if absent:
        raise TrainingError(f"exposures: column {absent[0]!r} is absent")
    table = _with(exposures, _PROPENSITIES)
    for needed in ("request_id", "features", "position_seen"):
        table = table.filter(pc.is_valid(table[needed]))
    if not len(table):
        raise TrainingError(
            f"none of {len(exposures)} exposures was served with features and then seen: "
            "rank for users, send their impressions, and wait until the join has closed its window"
        )
    return table


def _of_service(table: pa.Table, signature: Signature) -> pa.Table:
    found = table.filter(pc.equal(table["fingerprint"].cast(pa.string()), signature.fingerprint))
    if not len(found):
        others = ", ".join(sorted(set(table["fingerprint"].to_pylist())))
        raise TrainingError(
            f"all exposures were served with feature fingerprint {others}, "
            f"but {signature.service} is {signature.fingerprint} now: serve it for a while, then train"
        )
    return found


def _time_order(table: pa.Table) -> Int64:
    """By time, then request, then item: the same rows in any order give the same training."""
    keys = [("finalize_time_ms", "ascending"), ("request_id", "ascending"), ("item_id", "ascending")]
    order: Int64 = pc.sort_indices(table, sort_keys=keys).to_numpy().astype(np.int64)
    return order


def _starts(table: pa.Table) -> Int64:
    request = table["request_id"].combine_chunks().dictionary_encode().indices.to_numpy()
    changes = np.flatnonzero(np.diff(request)) + 1
    return np.concatenate(([0], changes, [len(table)])).astype(np.int64)


def _matrix(table: pa.Table, name: str, width: int, dtype: Any) -> NDArray[Any]:
    flat = table[name].combine_chunks().flatten().to_numpy(zero_copy_only=False)
    if len(flat) != len(table) * width:
        raise TrainingError(f"exposures: {name} has {len(flat) / len(table):g} values a row, not {width}")
    matrix: NDArray[Any] = flat.reshape(len(table), width).astype(dtype)
    return matrix


def _numbers(table: pa.Table, name: str) -> Int64:
    numbers: Int64 = table[name].to_numpy().astype(np.int64)
    return numbers


def _propensity(table: pa.Table) -> Float32:
    """What is not in (0, 1] was not logged, as far as learning is concerned."""
    logged = [table[name].cast(pa.float64()) for name in _PROPENSITIES if name in table.column_names]
    if not logged:
        return np.full(len(table), np.nan, np.float32)
    found = pc.coalesce(*logged).to_numpy().astype(np.float32)
    return np.where((found > 0) & (found <= 1), found, np.float32(np.nan))


def _labels(table: pa.Table, heads: tuple[str, ...] | None) -> dict[str, Float32]:
    """Binary labels of ``heads``, else of click and every other frequent action, in alphabetical order."""
    happened = _happened(table)
    if not happened.get("click", np.zeros(1)).any():
        raise TrainingError(f"none of {len(table)} exposures was clicked: there is nothing to learn from")
    if heads is not None:
        return {head: happened.get(head, np.zeros(len(table), np.float32)) for head in heads}
    others = sorted(a for a, label in happened.items() if a != "click" and label.sum() >= MIN_POSITIVES)
    return {action: happened[action] for action in ("click", *others)}


def _happened(table: pa.Table) -> dict[str, Float32]:
    outcomes = table["outcomes"].combine_chunks()
    row = np.repeat(np.arange(len(table)), np.diff(outcomes.offsets.to_numpy()))
    actions = np.asarray(outcomes.keys.to_pylist(), dtype=object)
    positive = outcomes.items.to_numpy(zero_copy_only=False) > 0
    labels = {action: np.zeros(len(table), np.float32) for action in set(actions)}
    for action, label in labels.items():
        label[row[(actions == action) & positive]] = 1.0
    return labels

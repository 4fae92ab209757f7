"""The gate: what a version must show before any alias may point to it. Its margins are configuration."""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
import numpy as np

from ranker.registry.models import Check, ModelMetadata
from ranker.training.calibration import calibration_error, error_by_chance
from ranker.training.errors import TrainingError
from ranker.training.evaluation import BOOSTED, COUNTED, NEW_MODEL, Evaluation, Incumbent, Slice
from ranker.training.rows import Float32, Rows
from ranker.triton.base import InferenceClient, Scores

BESIDE_CHAMPION = "not worse than the champion"
"""Name of the check."""

DEFAULT_GATE = Path(__file__).with_name("gate.toml")
_TIMEOUT_MS = 10_000.0
_EXTREMES = (0.0, 1e30, -1e30, np.nan, np.inf, -np.inf)

Infer = Callable[[Rows], Scores]
"""Scores of the rows of one request by the version as it is served."""


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A table of the file: no other keys are known."""


class DataLimits(_Section, frozen=True):
    """See `gate.toml`."""

    min_clicked_requests: int
    max_missing_share: float


class QualityMargins(_Section, frozen=True):
    """See `gate.toml`. LightGBM is asked about only where the file has a margin."""

    champion_margin: float
    champion_slice_margin: float
    counters_margin: float
    boosted_margin: float | None = None


class CalibrationLimit(_Section, frozen=True):
    """See `gate.toml`."""

    max_error: float


class LawLimits(_Section, frozen=True):
    """See `gate.toml`."""

    tolerance: float


class LatencyLimit(_Section, frozen=True):
    """See `gate.toml`."""

    candidates: int
    calls: int
    max_median_ms: float


class Gate(_Section, frozen=True):
    """All limits and margins."""

    data: DataLimits
    quality: QualityMargins
    calibration: CalibrationLimit
    laws: LawLimits
    latency: LatencyLimit


def load_gate(path: Path = DEFAULT_GATE) -> Gate:
    """Read a gate file.

    Raises
    ------
    TrainingError
        It cannot be read or is not valid; the message names the file and the key.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=Gate)
    except (OSError, msgspec.DecodeError) as error:
        raise TrainingError(f"gate {path}: {error}") from error


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of a version when it comes to the gate.

    Attributes
    ----------
    test : rows later than all that it has learned from
    predicted : head -> (n,) its probabilities on them
    champion : what it would replace; None: nothing
    """

    test: Rows
    predicted: Mapping[str, Float32]
    evaluation: Evaluation
    champion: Incumbent | None


def offline_checks(gate: Gate, evidence: Evidence) -> Iterator[Check]:
    """What the test part tells."""
    yield from _data(gate.data, evidence)
    yield from _quality(gate.quality, evidence)
    for head, predicted in evidence.predicted.items():
        yield _calibration(gate.calibration.max_error, head, predicted, evidence.test.labels[head])


def served_checks(gate: Gate, infer: Infer, rows: Rows) -> Iterator[Check]:
    """What the version answers where it is served, on some rows."""
    request = _take(rows, np.arange(gate.latency.candidates) % len(rows))
    yield _finite(infer, request)
    yield _permutation(gate.laws.tolerance, infer, request)
    yield _isolation(gate.laws.tolerance, infer, request)
    yield _latency(gate.latency, infer, request)


def inference_of(client: InferenceClient, model: ModelMetadata) -> Infer:
    """Asks the loaded version about rows as if they were one request of their first row's user."""
    user = len(model.user_columns)

    def infer(rows: Rows) -> Scores:
        dense = np.ascontiguousarray(rows.dense[:, user:])
        first = np.ascontiguousarray(rows.dense[:1, :user])
        return client.infer(model.name, model.version, first, dense, rows.ids, _TIMEOUT_MS)

    return infer


def _data(limits: DataLimits, evidence: Evidence) -> Iterator[Check]:
    clicked = evidence.evaluation.clicked_requests
    yield Check(
        "enough test requests",
        clicked >= limits.min_clicked_requests,
        f"{clicked} with a click, {limits.min_clicked_requests} needed",
    )
    missing = float(np.isnan(evidence.test.dense).mean())
    yield Check(
        "features are numbers",
        missing <= limits.max_missing_share,
        f"{missing:.4f} of the values are none, {limits.max_missing_share} allowed",
    )


def _quality(margins: QualityMargins, evidence: Evidence) -> Iterator[Check]:
    evaluation, champion = evidence.evaluation, evidence.champion
    yield _mean_not_below("not worse than counters", evaluation, COUNTED, margins.counters_margin)
    if margins.boosted_margin is not None:
        yield _beside_boosted(evaluation, margins.boosted_margin)
    if champion is not None:
        yield from _beside_champion(margins, evaluation, champion)


def _beside_boosted(evaluation: Evaluation, margin: float) -> Check:
    name = "not worse than LightGBM"
    if evaluation.find(BOOSTED) is None:
        return Check(
            name, False, "not measured: an update has none to compare with; leave boosted_margin out"
        )
    return _not_wholly_below(name, evaluation, BOOSTED, margin)


def _beside_champion(margins: QualityMargins, evaluation: Evaluation, champion: Incumbent) -> Iterator[Check]:
    """A champion that cannot be measured holds up nobody: what replaces it has the other checks to pass."""
    if champion.unmeasured is not None:
        yield Check(BESIDE_CHAMPION, True, f"not measured: {champion.unmeasured}")
        return
    yield _mean_not_below(BESIDE_CHAMPION, evaluation, champion.name, margins.champion_margin)
    for part in evaluation.slices:
        name = f"{BESIDE_CHAMPION}: {part.name}"
        yield _not_wholly_below(name, part, champion.name, margins.champion_slice_margin)


def _mean_not_below(name: str, part: Slice, other: str, margin: float) -> Check:
    new, old = part[NEW_MODEL], part[other]
    told = f"NDCG@10 {new.ndcg_at_10:.4f} against {old.ndcg_at_10:.4f} of {other}, margin {margin}"
    return Check(name, old.behind >= -margin, told)


def _not_wholly_below(name: str, part: Slice, other: str, margin: float) -> Check:
    old = part[other]
    told = f"difference {old.behind:+.4f} [{old.behind_low:+.4f}, {old.behind_high:+.4f}], margin {margin}"
    return Check(name, old.behind_high >= -margin, told)


def _calibration(limit: float, head: str, predicted: Float32, labels: Float32) -> Check:
    error, chance = calibration_error(predicted, labels), error_by_chance(predicted)
    told = f"expected error {error:.4f}, {limit} allowed, {chance:.4f} explained by chance"
    return Check(f"calibrated: {head}", error - chance <= limit, told)


def _finite(infer: Infer, rows: Rows) -> Check:
    strange = rows.where(np.arange(len(rows)) < len(_EXTREMES))
    strange.dense[:] = np.array(_EXTREMES, np.float32)[: len(strange), None]
    answers = [*infer(rows).values(), *infer(strange).values()]
    bad = sum(int((~np.isfinite(scores)).sum()) for scores in answers)
    return Check("finite", bad == 0, f"{bad} scores are no finite number, extreme inputs among them")


def _permutation(tolerance: float, infer: Infer, rows: Rows) -> Check:
    order = np.random.default_rng(0).permutation(len(rows))
    plain, permuted = infer(rows), infer(_take(rows, order))
    return _equal("permutation", tolerance, [(plain[head][order], permuted[head]) for head in plain])


def _isolation(tolerance: float, infer: Infer, rows: Rows) -> Check:
    first = np.zeros(1, np.int64)
    plain, alone = infer(rows), infer(_take(rows, first))
    return _equal("isolation", tolerance, [(plain[head][first], alone[head]) for head in plain])


def _equal(name: str, tolerance: float, pairs: list[tuple[Float32, Float32]]) -> Check:
    largest = max(float(np.abs(left - right).max()) for left, right in pairs)
    return Check(name, largest <= tolerance, f"scores differ by {largest:.2g}, {tolerance:g} allowed")


def _latency(limit: LatencyLimit, infer: Infer, rows: Rows) -> Check:
    times_ms = []
    for _ in range(limit.calls):
        start_ns = time.perf_counter_ns()
        infer(rows)
        times_ms.append((time.perf_counter_ns() - start_ns) / 1e6)
    median = float(np.median(times_ms))
    told = f"median {median:.2f} ms for {len(rows)} candidates, {limit.max_median_ms:g} allowed"
    return Check("latency", median <= limit.max_median_ms, told)


def _take(rows: Rows, index: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Rows:
    """The rows at ``index`` as one request."""
    labels = {head: label[index] for head, label in rows.labels.items()}
    starts = np.array([0, len(index)])
    return Rows(
        rows.dense[index],
        rows.ids[index],
        rows.position[index],
        rows.propensity[index],
        labels,
        starts,
        rows.time_ms[:1],
    )

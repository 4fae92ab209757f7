"""One training, from exposures to the champion."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from feature_store.schema.assignments import marks
from ranker.registry.models import Check, Lineage, ModelId, ModelMetadata, RegistryError
from ranker.training.errors import TrainingError
from ranker.training.evaluation import Evaluation, Incumbent
from ranker.training.fit import OnEpoch, Parameters
from ranker.training.gate import BESIDE_CHAMPION, Gate, inference_of, load_gate, offline_checks, served_checks
from ranker.training.learning import Learned, Plan, learn
from ranker.training.predict import load_scorer, predict
from ranker.training.provenance import environment, git_commit, weights_digest
from ranker.training.publish import Publisher
from ranker.training.rows import Rows, kept_columns
from ranker.training.sound import sound
from ranker.training.weights import version_files
from triton_models.signature import Signature
from triton_models.timeline_ranker import TimelineRanker, output_names

NAME = "timeline_ranker"

Offsets = Mapping[int, tuple[int, int]]
"""Partition of `exposures` -> (first offset, the one after the last)."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out.

    Attributes
    ----------
    model : registered, loaded and verified
    checks : what the gate found
    promoted : whether it is the champion now
    reason : why, or why not
    retired : versions unloaded afterwards
    left_out : reason -> exposures that nothing was learned from, see `ranker.training.sound`
    """

    model: ModelMetadata
    evaluation: Evaluation
    checks: tuple[Check, ...]
    promoted: bool
    reason: str
    retired: tuple[ModelId, ...]
    left_out: Mapping[str, int]


def train(
    exposures: pa.Table,
    publisher: Publisher,
    plan: Plan,
    on_epoch: OnEpoch,
    now_ms: int,
    *,
    offsets: Offsets | None = None,
    gate: Gate | None = None,
) -> Trained:
    """Learn, measure, publish, and promote what passes the gate.

    Parameters
    ----------
    exposures : latest revision of each exposure
    on_epoch : told of the progress
    now_ms : dates the version
    offsets : where the exposures were read; kept with the version
    gate : unset, the one that is shipped

    Raises
    ------
    TrainingError
        The exposures do not allow it; those of one user only do not.
    RegistryError, InferenceError
        The model could not be published or promoted; what served before serves on.
    """
    gate = gate or load_gate()
    exposures, left_out = sound(exposures, plan.label_window_ms)
    _need_users(exposures, left_out)
    present = publisher.registry.champion_id()
    learned = learn(exposures, publisher.signature, plan, on_epoch, incumbent(publisher, present))
    lineage = lineage_of(exposures, publisher, learned.fitted.net, plan.parameters, offsets or {})
    metadata = _metadata(publisher.signature, learned, plan, lineage, now_ms)
    model = publisher.publish(metadata, version_files(learned.fitted.net))
    checks = _examine(publisher, model, learned, gate)
    promoted, reason = promote(publisher, model, present, checks, wanted=plan.promote)
    return Trained(model, learned.evaluation, checks, promoted, reason, publisher.tidy(NAME), left_out)


def promote(
    publisher: Publisher,
    model: ModelMetadata,
    present: ModelId,
    checks: tuple[Check, ...],
    *,
    wanted: bool = True,
) -> tuple[bool, str]:
    """Make a version that passed the gate the champion; whether it is now, and why or why not."""
    if failed := [str(check) for check in checks if not check.passed]:
        return False, f"the gate refused it: {'; '.join(failed)}"
    told = next((check.figures for check in checks if check.name == BESIDE_CHAMPION), None)
    reason = f"passed the gate against {present}" + (f": {told}" if told else "")
    if wanted and (hold := publisher.held()):
        return False, hold.reason
    if wanted:
        publisher.registry.promote(model.id, expected=present, reason=reason)
    return wanted, reason


def lineage_of(
    table: pa.Table,
    publisher: Publisher,
    net: TimelineRanker,
    parameters: Parameters,
    offsets: Offsets,
    parent: ModelId | None = None,
) -> Lineage:
    """What the net was made of; keeps the rows that it learned from."""
    return Lineage(
        training_data=publisher.training_data.put(kept_columns(table)),
        weights=weights_digest(net.state_dict()),
        environment=environment(parameters.threads),
        parent=str(parent) if parent else None,
        offsets=dict(offsets),
        label_window_ms=_label_window_ms(table),
        policies=_policies(table),
        experiments=_experiments(table),
    )


def incumbent(publisher: Publisher, present: ModelId) -> Incumbent:
    """The champion; one that is damaged, or was made for other features, cannot be asked about these rows."""
    name, folders, signature = f"champion, {present}", publisher.registry.folders, publisher.signature
    try:
        found = folders.metadata(present)
        if found.fingerprint != signature.fingerprint:
            return Incumbent(name, unmeasured=f"{present} was made for other features")
        return Incumbent(name, load_scorer(folders.path(present), found, len(signature.user)))
    except RegistryError as error:
        return Incumbent(name, unmeasured=str(error))


def _need_users(exposures: pa.Table, left_out: Mapping[str, int]) -> None:
    told = ", ".join(f"{count} {reason}" for reason, count in left_out.items()) or "none"
    if not len(exposures):
        raise TrainingError(f"there are no exposures to learn from; left out: {told}")
    if pc.count_distinct(exposures["user_id"]).as_py() < 2:
        raise TrainingError(f"all exposures are of one user: a ranker learns from several; left out: {told}")


def _examine(publisher: Publisher, model: ModelMetadata, learned: Learned, gate: Gate) -> tuple[Check, ...]:
    """Take the loaded version through the gate, and keep what it finds."""
    sample = learned.parts.test.between(0, 1)
    publisher.verify(model, sample, predict(learned.fitted.net, sample, len(publisher.signature.user)))
    infer = inference_of(publisher.inference, model)
    checks = (*offline_checks(gate, learned.evidence), *served_checks(gate, infer, sample))
    publisher.registry.keep_checks(model.id, checks)
    return checks


def _metadata(
    signature: Signature, learned: Learned, plan: Plan, lineage: Lineage, now_ms: int
) -> ModelMetadata:
    parameters = plan.parameters
    return ModelMetadata(
        **described(signature, tuple(learned.parts.train.labels)),
        created_time_ms=now_ms,
        seed=parameters.seed,
        parameters={
            **parameters.as_dict(),
            "epochs_trained": learned.fitted.epochs,
            "fraction": plan.fraction,
            "until_time_ms": plan.until_time_ms,
        },
        data={
            "train": {**extent(learned.parts.train), "effective_rows": learned.fitted.effective_rows},
            "validation": extent(learned.parts.validation),
            "test": extent(learned.parts.test),
        },
        evaluation=kept_evaluation(learned.evaluation),
        git_commit=git_commit(),
        lineage=lineage,
    )


def described(signature: Signature, heads: tuple[str, ...]) -> dict[str, Any]:
    """The part of the metadata that says what the model reads and answers."""
    return {
        "name": NAME,
        "service": signature.service,
        "fingerprint": signature.fingerprint,
        "user_columns": signature.user,
        "candidate_columns": signature.candidate,
        "id_columns": signature.ids,
        "recents": signature.recents,
        "heads": output_names(heads),
    }


def kept_evaluation(evaluation: Evaluation) -> dict[str, Any]:
    """The table as the metadata keep it; what is no number is null there."""
    kept: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(evaluation))
    return kept


def extent(rows: Rows) -> dict[str, object]:
    """Counts and times of some rows."""
    return {
        "requests": rows.requests,
        "rows": len(rows),
        "first_time_ms": int(rows.time_ms[0]),
        "last_time_ms": int(rows.time_ms[-1]),
        "positives": {head: int(label.sum()) for head, label in rows.labels.items()},
    }


def _label_window_ms(table: pa.Table) -> int:
    """From an impression to the latest outcome that is in the table, at most; 0 where it does not say."""
    if not {"impression_time_ms", "outcome_time_ms"} <= set(table.column_names):
        return 0
    longest = pc.max(pc.subtract(table["outcome_time_ms"], table["impression_time_ms"])).as_py()
    return max(0, longest or 0)


def _policies(table: pa.Table) -> dict[str, float]:
    if "policy" not in table.column_names:
        return {}
    counted = pc.value_counts(table["policy"].cast(pa.string()).drop_null()).to_pylist()
    total = sum(each["counts"] for each in counted)
    return {each["values"]: each["counts"] / total for each in counted}


def _experiments(table: pa.Table) -> dict[str, float]:
    """Shares of what was ranked; empty where the table does not say."""
    if not {"nudge", "assignments", "position"} <= set(table.column_names):
        return {}
    ranked = table.filter(pc.is_valid(table["request_id"]))
    return {mark: float(mask.mean()) for mark, mask in marks(ranked).items()} if len(ranked) else {}

"""One training, from exposures to the champion."""

from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from ranker.registry.models import ModelId, ModelMetadata
from ranker.training.evaluation import Evaluation, Scorer, evaluate, simple_scorers
from ranker.training.fit import Fitted, OnEpoch, Parameters, fit
from ranker.training.predict import load_scorer, predict
from ranker.training.provenance import git_commit
from ranker.training.publish import Publisher, champion
from ranker.training.rows import Rows, rows_of
from ranker.training.split import Split, split
from triton_models.export import module_files
from triton_models.signature import Signature

NAME = "timeline_ranker"
NEW_MODEL = "new model"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to learn from, and what to do with the model.

    Attributes
    ----------
    fraction : share of the requests, in time order, to learn from; the rest is the test part
    until_time_ms : instead of ``fraction``: learn from requests up to this moment
    promote : whether a model that is no worse than the champion replaces it
    """

    parameters: Parameters = field(default_factory=Parameters)
    fraction: float = 0.8
    until_time_ms: int | None = None
    promote: bool = True


@dataclass(frozen=True, slots=True)
class Trained:
    """What came out.

    Attributes
    ----------
    model : registered, loaded and verified
    promoted : whether it is the champion now
    reason : why, or why not
    retired : versions unloaded afterwards
    """

    model: ModelMetadata
    evaluation: Evaluation
    promoted: bool
    reason: str
    retired: tuple[ModelId, ...]


def train(exposures: pa.Table, publisher: Publisher, plan: Plan, on_epoch: OnEpoch, now_ms: int) -> Trained:
    """Learn, measure, publish, and promote if it is no worse than the champion.

    Parameters
    ----------
    exposures : latest revision of each exposure
    on_epoch : told of the progress
    now_ms : dates the version

    Raises
    ------
    TrainingError
        The exposures do not allow it.
    RegistryError, InferenceError
        The model could not be published or promoted; what served before serves on.
    """
    signature, user = publisher.signature, len(publisher.signature.user)
    parts = split(rows_of(exposures, signature), fraction=plan.fraction, until_time_ms=plan.until_time_ms)
    present = champion(publisher.registry)
    fitted = fit(parts.train, parts.validation, user, plan.parameters, on_epoch)
    evaluation = evaluate(parts.test, _scorers(publisher, present, fitted, plan.parameters.seed))
    metadata = _metadata(signature, parts, plan.parameters, fitted, evaluation, now_ms)
    model = publisher.publish(metadata, module_files(fitted.net))
    sample = parts.test.between(0, 1)
    publisher.verify(model, sample, predict(fitted.net, sample, user))
    better, reason = _judge(evaluation, present)
    if better and plan.promote:
        publisher.registry.promote(model.id, expected=present.id, reason=reason)
    return Trained(model, evaluation, better and plan.promote, reason, publisher.tidy(NAME))


def _scorers(publisher: Publisher, present: ModelMetadata, fitted: Fitted, seed: int) -> dict[str, Scorer]:
    """Everything in the table. A champion made for other features cannot be asked about these rows."""
    user = len(publisher.signature.user)
    scorers = simple_scorers(publisher.signature, seed)
    if present.fingerprint == publisher.signature.fingerprint:
        scorers[_champion_row(present)] = load_scorer(
            publisher.registry.folders.path(present.id), present, user
        )
    scorers[NEW_MODEL] = lambda rows: predict(fitted.net, rows, user)["click"]
    return scorers


def _champion_row(present: ModelMetadata) -> str:
    return f"champion, {present.id}"


def _judge(evaluation: Evaluation, present: ModelMetadata) -> tuple[bool, str]:
    """Whether the new model is no worse than the champion, and the sentence that says so."""
    results = {result.ranker: result.ndcg_at_10 for result in evaluation.results}
    new, old = results[NEW_MODEL], results.get(_champion_row(present))
    on = f"on {evaluation.clicked_requests} clicked requests"
    if old is None:
        return True, f"NDCG@10 {new:.4f} {on}; {present.id} was made for other features"
    return new >= old, f"NDCG@10 {new:.4f} against {old:.4f} of {present.id} {on}"


def _metadata(
    signature: Signature,
    parts: Split,
    parameters: Parameters,
    fitted: Fitted,
    evaluation: Evaluation,
    now_ms: int,
) -> ModelMetadata:
    return ModelMetadata(
        name=NAME,
        service=signature.service,
        fingerprint=signature.fingerprint,
        user_columns=signature.user,
        candidate_columns=signature.candidate,
        id_columns=signature.ids,
        heads=tuple(parts.train.labels),
        created_time_ms=now_ms,
        seed=parameters.seed,
        parameters={**parameters.as_dict(), "epochs_trained": fitted.epochs},
        data={name: _extent(getattr(parts, name)) for name in ("train", "validation", "test")},
        evaluation=[msgspec.structs.asdict(result) for result in evaluation.results],
        git_commit=git_commit(),
    )


def _extent(rows: Rows) -> dict[str, object]:
    return {
        "requests": rows.requests,
        "rows": len(rows),
        "first_time_ms": int(rows.time_ms[0]),
        "last_time_ms": int(rows.time_ms[-1]),
        "positives": {head: int(label.sum()) for head, label in rows.labels.items()},
    }

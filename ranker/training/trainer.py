"""Keeps the champion minutes fresh: measure it on what is new, teach it that, let it serve.

An update goes on from the champion's weights with new rankings and some earlier ones. The newest fifth
of the new rankings examines the update at the gate, and is learned by the next one.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import structlog

from feature_store.clock import Clock
from feature_store.exposure_log import ExposureRead
from feature_store.schema.exposures import latest_of
from ranker.registry.hold import Hold, HoldUnknown
from ranker.registry.models import Check, ModelId, ModelMetadata, RegistryError
from ranker.registry.registry import ModelRegistry
from ranker.training.backlog import Backlog, cut
from ranker.training.errors import TrainingError
from ranker.training.evaluation import NEW_MODEL, Incumbent, evaluate, simple_scorers
from ranker.training.fit import Fitted, Parameters, fit
from ranker.training.gate import Evidence, inference_of, load_gate, offline_checks, served_checks
from ranker.training.metrics import ndcg
from ranker.training.predict import predict
from ranker.training.provenance import git_commit
from ranker.training.publish import Publisher, champion
from ranker.training.rows import Rows, rows_of
from ranker.training.run import (
    NAME,
    described,
    extent,
    incumbent,
    kept_evaluation,
    lineage_of,
    promote,
)
from ranker.training.settings import TrainerSettings
from ranker.training.slices import slices
from ranker.training.sound import sound
from ranker.training.trainer_metrics import TrainerMetrics
from ranker.training.weights import load_weights, version_files
from ranker.triton.base import InferenceError
from triton_models.timeline_ranker import heads_of

_log = structlog.get_logger()

_TAUGHT = 0.8
"""Share of the new rankings, in time order, that an update learns from."""


class Trainer:
    """Follows exposures; makes the next version out of the champion when there is enough that is new.

    Parameters
    ----------
    publisher : where versions go
    """

    def __init__(
        self, publisher: Publisher, settings: TrainerSettings, metrics: TrainerMetrics, clock: Clock
    ) -> None:
        self._publisher = publisher
        self._settings = settings
        self._metrics = metrics
        self._clock = clock
        self._gate = load_gate(settings.trainer_gate)
        self._backlog = Backlog(settings.trainer_kept_requests, metrics)
        self._offsets: dict[int, tuple[int, int]] = {}
        self._last_ns: int | None = None
        self._followed: ModelId | None = None

    @property
    def next_offsets(self) -> dict[int, int]:
        """Partition of `exposures` -> where to read on."""
        return {partition: end for partition, (_, end) in self._offsets.items()}

    def take(self, read: ExposureRead) -> ModelMetadata | None:
        """Take in exposures, and make a version if it is time; returns it if it is the champion now."""
        self._metrics.exposures.inc(len(read.exposures))
        self._offsets = _joined(self._offsets, read.offsets)
        self._look()
        exposures, left_out = sound(read.exposures)
        for reason, count in left_out.items():
            self._metrics.left_out.labels(reason).inc(count)
        self._backlog.add(exposures)
        if not self._due():
            return None
        self._last_ns = self._clock.monotonic_ns()
        return self._attempt()

    def _look(self) -> None:
        """What serves now, and what it knew when others promoted it: it may have learned from what waits."""
        with suppress(RegistryError):  # told when a version is to be made; its age goes on growing
            present = champion(self._publisher.registry)
            self._metrics.serving(present)
            if present.id != self._followed:
                self._followed = present.id
                self._backlog.follow(present, self.next_offsets)

    def _due(self) -> bool:
        elapsed_ns = self._clock.monotonic_ns() - (self._last_ns or 0)
        waited = self._last_ns is None or elapsed_ns >= self._settings.trainer_every_s * 1e9
        return waited and self._backlog.new_requests >= self._settings.trainer_min_requests

    def _attempt(self) -> ModelMetadata | None:
        """One update. Whatever goes wrong is counted and told; what serves goes on serving.

        Raises
        ------
        HoldUnknown
            Nothing was settled: the next turn tries again.
        """
        hold = self._publisher.held()
        self._metrics.held.set(float(hold is not None))
        try:
            outcome, model = self._update(self._backlog.new, hold)
        except (TrainingError, RegistryError, InferenceError, OSError) as error:
            outcome, model = "failed", None
            _log.warning("update_failed", problem=str(error))
        if model is None:
            self._backlog.settle()
        self._metrics.updates.labels(outcome).inc()
        return model

    def _update(self, exposures: pa.Table, hold: Hold | None) -> tuple[str, ModelMetadata | None]:
        present = champion(self._publisher.registry)
        if present.lineage is None or present.fingerprint != self._publisher.signature.fingerprint:
            return "no_learned_champion", None
        new = rows_of(exposures, self._publisher.signature, heads_of(present.heads))
        old = incumbent(self._publisher, present.id)
        self._measure(old, new)
        if reason := hold.reason if hold else _taken_back(self._publisher.registry):
            _log.warning("update_held", reason=reason)
            return "held", None
        earlier = self._backlog.earlier.sample(self._settings.trainer_replay_requests, self._rng())
        first = int(new.requests * _TAUGHT)
        until_ms = int(new.time_ms[first])
        taught, _ = cut(exposures, until_ms)
        model = self._teach(present, old, _with(taught, earlier), new.between(first, new.requests))
        if model is None:
            return "refused", None
        self._backlog.settle(until_ms)
        return "promoted", model

    def _measure(self, old: Incumbent, new: Rows) -> None:
        """Test, then train: how the champion does on what it has not seen."""
        if old.score is None:
            self._metrics.ndcg.set(np.nan)
            self._metrics.log_loss.set(np.nan)
            _log.warning("champion_not_measured", problem=old.unmeasured)
            return
        clicked = old.score(new).clip(1e-6, 1 - 1e-6)
        label = new.labels["click"]
        self._metrics.ndcg.set(float(ndcg(clicked, new).mean()))
        loss = -(label * np.log(clicked) + (1 - label) * np.log1p(-clicked))
        self._metrics.log_loss.set(float(loss.mean()))

    def _teach(
        self, present: ModelMetadata, old: Incumbent, table: pa.Table, held: Rows
    ) -> ModelMetadata | None:
        publisher, parameters, heads = self._publisher, self._parameters(present), heads_of(present.heads)
        rows = rows_of(table, publisher.signature, heads)
        start = load_weights(publisher.registry.folders.path(present.id))
        fitted = fit(rows, None, len(publisher.signature.user), parameters, _quiet, start=start)
        evidence = self._evidence(old, fitted, held)
        model = self._publish(present, table, rows, fitted, parameters, evidence)
        checks = self._examine(model, evidence)
        try:
            promoted, reason = promote(publisher, model, present.id, checks)
        except HoldUnknown:  # the next turn makes it again
            publisher.registry.folders.retire(model.id)
            raise
        publisher.tidy(NAME)
        _log.info("updated", model=str(model.id), promoted=promoted, reason=reason)
        if not promoted:
            return None
        self._followed = model.id
        self._metrics.serving(model)
        return model

    def _publish(
        self,
        present: ModelMetadata,
        table: pa.Table,
        rows: Rows,
        fitted: Fitted,
        parameters: Parameters,
        evidence: Evidence,
    ) -> ModelMetadata:
        lineage = lineage_of(table, self._publisher, fitted.net, parameters, self._offsets, parent=present.id)
        metadata = ModelMetadata(
            **described(self._publisher.signature, tuple(rows.labels)),
            created_time_ms=self._clock.now_ms(),
            seed=parameters.seed,
            parameters=parameters.as_dict(),
            data={
                "train": {**extent(rows), "effective_rows": fitted.effective_rows},
                "test": extent(evidence.test),
            },
            evaluation=kept_evaluation(evidence.evaluation),
            git_commit=git_commit(),
            lineage=lineage,
        )
        return self._publisher.publish(metadata, version_files(fitted.net))

    def _evidence(self, old: Incumbent, fitted: Fitted, held: Rows) -> Evidence:
        """How the net, and what is simple, rank what is newer than all that the net has learned."""
        signature = self._publisher.signature
        predicted = predict(fitted.net, held, len(signature.user))
        scorers = {
            **simple_scorers(signature, self._settings.trainer_seed),
            **old.scorers,
            NEW_MODEL: lambda _: predicted["click"],
        }
        evaluation = evaluate(held, scorers, slices(held, signature, {}))
        return Evidence(held, predicted, evaluation, old)

    def _examine(self, model: ModelMetadata, evidence: Evidence) -> tuple[Check, ...]:
        infer = inference_of(self._publisher.inference, model)
        served = served_checks(self._gate, infer, evidence.test.between(0, 1))
        checks = (*offline_checks(self._gate, evidence), *served)
        self._publisher.registry.keep_checks(model.id, checks)
        return checks

    def _parameters(self, present: ModelMetadata) -> Parameters:
        """The champion's, but one gentle pass."""
        made = msgspec.convert(present.parameters, Parameters)
        rate = self._settings.trainer_learning_rate
        return replace(made, epochs=1, learning_rate=rate, seed=self._settings.trainer_seed)

    def _rng(self) -> np.random.Generator:
        """Seeded by how far the log was read, so that a version can be told from its offsets."""
        ends = sorted(self.next_offsets.items())
        return np.random.default_rng([self._settings.trainer_seed, *(end for _, end in ends)])


def _taken_back(registry: ModelRegistry) -> str | None:
    """Why to wait for people: the version they went back from would be back in a minute, taught anew."""
    if (change := registry.taken_back()) is None:
        return None
    return (
        f"the champion was taken back from {change.previous} to {change.model}: {change.reason}; "
        f"`eddyline models promote {change.model}` goes on from there, `eddyline train` begins anew"
    )


def _joined(
    before: Mapping[int, tuple[int, int]], read: Mapping[int, tuple[int, int]]
) -> dict[int, tuple[int, int]]:
    """Offsets from the first to the last read of each partition."""
    return {number: (before.get(number, span)[0], span[1]) for number, span in read.items()}


def _with(new: pa.Table, earlier: pa.Table | None) -> pa.Table:
    return new if earlier is None else latest_of([earlier, new])


def _quiet(epoch: int, epochs: int, value: float | None) -> None:
    """An update is one pass: there is no progress to show."""

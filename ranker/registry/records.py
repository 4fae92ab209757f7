"""Where people and other tools look versions up: MLflow's model registry.

Serving needs none of it: versions lie in folders, aliases in Redis. So a registry that is down stops
new versions, and nothing else.
"""

import logging
import math
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import msgspec
import structlog

from ranker.registry.models import Check, ModelId, ModelMetadata, RegistryUnavailable

_log = structlog.get_logger()

_VERSION = "eddyline.version"
_FOLDER = "eddyline.folder"
_PATIENCE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "5", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1"}
"""Of MLflow's client, s and count, where its environment says nothing else: its own would take minutes."""


class Records(Protocol):
    """A copy of what the registry knows, for reading."""

    def reach(self) -> None:
        """Connect now, which may take seconds, instead of with the first version.

        Raises
        ------
        RegistryUnavailable
            The records cannot be reached.
        """

    def add(self, metadata: ModelMetadata, folder: Path) -> None:
        """Remember a version.

        Raises
        ------
        RegistryUnavailable
            The records cannot be reached.
        """

    def examine(self, model: ModelId, checks: Sequence[Check]) -> None:
        """Show what the gate found; it found that whether or not this succeeds."""

    def point(self, alias: str, model: ModelId) -> None:
        """Show where an alias points now; it points there whether or not this succeeds."""


class NoRecords:
    """For processes that register nothing."""

    def reach(self) -> None:
        """See `Records.reach`."""

    def add(self, metadata: ModelMetadata, folder: Path) -> None:
        """See `Records.add`."""

    def examine(self, model: ModelId, checks: Sequence[Check]) -> None:
        """See `Records.examine`."""

    def point(self, alias: str, model: ModelId) -> None:
        """See `Records.point`."""


class MlflowRecords:
    """`Records` in MLflow: a database by default, or a tracking server.

    Our number of a version is its tag ``eddyline.version``; MLflow counts for itself. Each version has a run
    with its parameters and the figures of its evaluation. The run's artifacts are the version's source, as a
    server takes no folder of another machine; the files stay where the tag ``eddyline.folder`` says.

    Parameters
    ----------
    uri : as MLflow takes it, such as ``sqlite:///models.db`` or ``https://…``
    """

    def __init__(self, uri: str) -> None:
        self._uri = uri
        self._opened: Any = None

    def reach(self) -> None:
        """See `Records.reach`."""
        try:
            self._client.search_registered_models(max_results=1)
        except Exception as error:  # noqa: BLE001  (as in `add`)
            told = f"MLflow at {self._uri} cannot be reached: {error}"
            raise RegistryUnavailable(_without_credentials(told)) from None

    def add(self, metadata: ModelMetadata, folder: Path) -> None:
        """See `Records.add`."""
        try:
            self._add(metadata, folder)
        except Exception as error:  # noqa: BLE001  (MLflow and its drivers raise what they like, URI included)
            told = f"MLflow at {self._uri} cannot remember {metadata.id}: {error}"
            raise RegistryUnavailable(_without_credentials(told)) from None

    def examine(self, model: ModelId, checks: Sequence[Check]) -> None:
        """See `Records.examine`."""
        try:
            number = self._number_of(model)
            for name, value in _gate_tags(checks).items():
                self._client.set_model_version_tag(model.name, number, name, value)
        except Exception as error:  # noqa: BLE001  (the gate found it all the same)
            problem = _without_credentials(str(error))
            _log.warning("gate_not_shown_in_mlflow", model=str(model), problem=problem)

    def point(self, alias: str, model: ModelId) -> None:
        """See `Records.point`."""
        try:
            number = self._number_of(model)
            if number is not None:  # the counters that every stack begins with were never recorded
                self._client.set_registered_model_alias(model.name, alias, number)
        except Exception as error:  # noqa: BLE001  (the alias has moved all the same)
            problem = _without_credentials(str(error))
            _log.warning("alias_not_shown_in_mlflow", alias=alias, model=str(model), problem=problem)

    def _add(self, metadata: ModelMetadata, folder: Path) -> None:
        names = [model.name for model in self._client.search_registered_models()]
        if metadata.name not in names:
            self._client.create_registered_model(metadata.name)
        run = self._run(metadata)
        tags = {_VERSION: metadata.version, _FOLDER: str(folder.resolve()), **_tags(metadata)}
        self._client.create_model_version(metadata.name, run.artifact_uri, run.run_id, tags=tags)

    def _run(self, metadata: ModelMetadata) -> Any:
        """What MLflow's pages show figures of, as MLflow describes it."""
        from mlflow.entities import Metric, Param

        known = self._client.get_experiment_by_name(metadata.name)
        experiment = known.experiment_id if known else self._client.create_experiment(metadata.name)
        run = self._client.create_run(experiment, run_name=str(metadata.id)).info
        metrics = [Metric(*figure, metadata.created_time_ms, 0) for figure in _metrics(metadata.evaluation)]
        params = [Param(name, str(value)) for name, value in metadata.parameters.items()]
        self._client.log_batch(run.run_id, metrics, params)
        self._client.set_terminated(run.run_id)
        return run

    def _number_of(self, model: ModelId) -> str | None:
        found = self._client.search_model_versions(
            f"name = '{model.name}' and tag.`{_VERSION}` = '{model.version}'"
        )
        return str(found[0].version) if found else None

    @property
    def _client(self) -> Any:
        if self._opened is None:
            for name, value in _PATIENCE.items():
                os.environ.setdefault(name, value)
            from mlflow.tracking import MlflowClient  # takes seconds, and only those who register need it

            for name in ("mlflow", "alembic"):  # they tell of each table that they make
                logging.getLogger(name).setLevel(logging.WARNING)
            self._opened = MlflowClient(self._uri, self._uri)
        return self._opened


def _without_credentials(text: str) -> str:
    """The text without user and password of the URIs in it."""
    return re.sub(r"(?<=://)[^\s'\"]*@", "", text)


def _tags(metadata: ModelMetadata) -> dict[str, str]:
    """The metadata as MLflow keeps it: texts by name, structures as JSON."""
    described = msgspec.to_builtins(metadata)
    plain = ("fingerprint", "service", "seed", "git_commit", "created_time_ms")
    structured = ("heads", "parameters", "data", "lineage")
    return {
        **{f"eddyline.{name}": str(described[name]) for name in plain},
        **{f"eddyline.{name}": msgspec.json.encode(described[name]).decode() for name in structured},
    }


def _metrics(evaluation: dict[str, Any]) -> Iterator[tuple[str, float]]:
    """The printed table as MLflow's metrics, which know no commas, and whose numbers are numbers."""
    for result in evaluation.get("results", []):
        ranker = re.sub(r"[^\w /.-]", "", result["ranker"].partition(",")[0])
        for measure in ("ndcg_at_10", "behind"):
            if result[measure] is not None and math.isfinite(result[measure]):
                yield f"{measure}/{ranker}", result[measure]


def _gate_tags(checks: Sequence[Check]) -> dict[str, str]:
    """The verdict, and a line for each check."""
    told = [f"{'passed' if check.passed else 'FAILED'}  {check}" for check in checks]
    verdict = "passed" if all(check.passed for check in checks) else "refused"
    return {"eddyline.gate": verdict, "eddyline.gate.figures": "\n".join(told)}

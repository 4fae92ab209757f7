"""Make a version again from what the registry kept, and say whether the weights are the same bits."""

import msgspec

from ranker.registry.models import Environment, Lineage, ModelId, ModelMetadata, RegistryError
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData
from ranker.training.fit import Fitted, Parameters, Weights, fit
from ranker.training.provenance import environment, weights_digest
from ranker.training.rows import Rows, rows_of
from ranker.training.split import split
from ranker.training.weights import load_weights
from triton_models.signature import Signature
from triton_models.timeline_ranker import heads_of


def rebuild(registry: ModelRegistry, data: TrainingData, model: ModelMetadata) -> Fitted:
    """The version's net, made again, bit for bit.

    Raises
    ------
    RegistryError
        It was not learned, this is another environment than the one that made it, what it was made of
        is gone, or the weights come out otherwise; the message says which.
    """
    lineage = _lineage(model)
    parameters = msgspec.convert(model.parameters, Parameters)
    _same_environment(model, lineage.environment, environment(parameters.threads))
    rows = rows_of(data.get(lineage.training_data), _signature(model), heads_of(model.heads))
    fitted = _fit(rows, model, parameters, _parent_weights(registry, lineage))
    if (made := weights_digest(fitted.net.state_dict())) != lineage.weights:
        raise RegistryError(
            f"model {model.id} comes out with weights {made}, not {lineage.weights}: "
            f"its code (commit {model.git_commit}) is not the one that runs here"
        )
    return fitted


def _fit(rows: Rows, model: ModelMetadata, parameters: Parameters, start: Weights | None) -> Fitted:
    user = len(model.user_columns)
    if start is not None:
        return fit(rows, None, user, parameters, _quiet, start=start)
    until = model.parameters["until_time_ms"]
    parts = split(rows, fraction=model.parameters["fraction"], until_time_ms=until)
    return fit(parts.train, parts.validation, user, parameters, _quiet)


def _lineage(model: ModelMetadata) -> Lineage:
    if model.lineage is None:
        raise RegistryError(f"model {model.id} was not learned from data: there is nothing to build it from")
    return model.lineage


def _same_environment(model: ModelMetadata, made: Environment, here: Environment) -> None:
    told = msgspec.structs.asdict(here)
    different = [
        f"{name} was {value} and is {told[name]}"
        for name, value in msgspec.structs.asdict(made).items()
        if value != told[name]
    ]
    if different:
        raise RegistryError(f"model {model.id} cannot be made again bit for bit here: {', '.join(different)}")


def _parent_weights(registry: ModelRegistry, lineage: Lineage) -> Weights | None:
    if lineage.parent is None:
        return None
    return load_weights(registry.folders.path(ModelId.parse(lineage.parent)))


def _signature(model: ModelMetadata) -> Signature:
    return Signature(
        model.service,
        model.fingerprint,
        model.user_columns,
        model.candidate_columns,
        model.id_columns,
        model.recents,
    )


def _quiet(epoch: int, epochs: int, value: float | None) -> None:
    """Nobody watches."""

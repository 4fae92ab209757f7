"""Removing versions that were set aside long ago, and the rows that only they learned from."""

from collections.abc import Collection, Iterable

from ranker.registry.models import ModelId, ModelMetadata, RegistryError
from ranker.registry.registry import ModelRegistry
from ranker.registry.training_data import TrainingData


def prunable(registry: ModelRegistry, before_ms: int, keep: Collection[ModelId] = ()) -> list[ModelMetadata]:
    """Versions that were made before ``before_ms``, were set aside, and that nothing needs.

    What an alias points to and what is in ``keep`` is needed; the parent of each version that stays, as a
    rebuild goes on from its weights; and the latest of each model, so that no number is given twice.
    What is :func:`damaged` stays, and holds nothing else: nobody can read what it needs.
    """
    aside = _readable(registry, registry.folders.retired())
    latest = {model.name: model.id for model in aside}
    needed = {*registry.aliased(), *latest.values(), *keep}
    old = [model for model in aside if model.created_time_ms < before_ms and model.id not in needed]
    staying = _without(_readable(registry, _ids(registry)), old)
    parents = {parent for model in staying if (parent := _parent(model))}
    return [model for model in old if str(model.id) not in parents]


def prune(registry: ModelRegistry, data: TrainingData, models: Collection[ModelMetadata]) -> None:
    """Remove these versions, each after the rows that no version needs any more."""
    staying = _without(_readable(registry, _ids(registry)), models)
    used = {model.lineage.training_data for model in staying if model.lineage}
    for model in models:
        if model.lineage and model.lineage.training_data not in used:
            data.remove(model.lineage.training_data)
        registry.folders.remove(model.id)


def damaged(registry: ModelRegistry) -> list[RegistryError]:
    """What is wrong with each version, also one set aside, whose metadata cannot be read."""
    found = (_read(registry, model) for model in _ids(registry))
    return [problem for problem in found if isinstance(problem, RegistryError)]


def _ids(registry: ModelRegistry) -> tuple[ModelId, ...]:
    """Every version, also those set aside."""
    return (*registry.version_ids(), *registry.folders.retired())


def _readable(registry: ModelRegistry, models: Iterable[ModelId]) -> list[ModelMetadata]:
    found = (_read(registry, model) for model in models)
    return [model for model in found if isinstance(model, ModelMetadata)]


def _read(registry: ModelRegistry, model: ModelId) -> ModelMetadata | RegistryError:
    try:
        return registry.folders.metadata(model)
    except RegistryError as problem:
        return problem


def _without(models: Collection[ModelMetadata], leaving: Collection[ModelMetadata]) -> list[ModelMetadata]:
    gone = {model.id for model in leaving}
    return [model for model in models if model.id not in gone]


def _parent(model: ModelMetadata) -> str | None:
    return model.lineage.parent if model.lineage else None

"""`python -m ranker.registry.bootstrap`: the models that need no training, for the features in use.

Runs before Triton starts and touches no alias: a champion that was never set *is* the counter model.
Run again it changes nothing, unless the feature service or a model's code has changed: then it sets aside
the versions that Triton would refuse, and brings back those that were made for these features, or adds some.
"""

from importlib import import_module

import structlog

from feature_store.clock import Clock, SystemClock
from feature_store.settings import Settings
from feature_store.telemetry.logs import configure_logging
from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId, ModelMetadata
from ranker.registry.servers import write_server
from ranker.registry.signature import default_signature
from triton_models.signature import Signature

_log = structlog.get_logger()

BUILT_IN = ("counters", "reference")


def bootstrap(folders: ModelFolders, signature: Signature, clock: Clock) -> None:
    """Write `counters`, `reference` and what serves each model, for no other features than ``signature``."""
    retire_foreign(folders, signature)
    restore_own(folders, signature)
    for name in BUILT_IN:
        if not folders.versions(name):
            _write(folders, name, signature, clock)
    for name in folders.names():
        write_server(folders, name, signature)


def retire_foreign(folders: ModelFolders, signature: Signature) -> None:
    """Set aside every version made for another feature service: Triton would refuse to load it."""
    for name in folders.names():
        for model in folders.readable(ModelId(name, version) for version in folders.versions(name)):
            if (made_for := model.fingerprint) != signature.fingerprint:
                folders.retire(model.id)
                _log.warning(
                    "model_set_aside", model=str(model.id), made_for=made_for, served=signature.fingerprint
                )


def restore_own(folders: ModelFolders, signature: Signature) -> None:
    """Bring back models all of whose versions were set aside while other features were served."""
    gone = {model.name for model in folders.retired()} - set(folders.names())
    for model in folders.readable(model for model in folders.retired() if model.name in gone):
        if model.fingerprint == signature.fingerprint:
            folders.restore(model.id)
            _log.info("model_restored", model=str(model.id), fingerprint=signature.fingerprint)


def _write(folders: ModelFolders, name: str, signature: Signature, clock: Clock) -> None:
    """A built-in model's first version; only this imports torch, which takes seconds."""
    from triton_models.export import module_files

    built_in = import_module(f"triton_models.{name}")
    files = module_files(built_in.build(signature))
    added = folders.add(_metadata(name, signature, built_in.HEADS, clock), files)
    _log.info("model_written", model=str(added.id), fingerprint=signature.fingerprint)


def _metadata(name: str, signature: Signature, heads: tuple[str, ...], clock: Clock) -> ModelMetadata:
    return ModelMetadata(
        name=name,
        service=signature.service,
        fingerprint=signature.fingerprint,
        user_columns=signature.user,
        candidate_columns=signature.candidate,
        id_columns=signature.ids,
        recents=signature.recents,
        heads=heads,
        created_time_ms=clock.now_ms(),
    )


def main() -> None:
    """Write them to the model repository of the settings."""
    settings = Settings()
    configure_logging("models", settings.log_level)
    bootstrap(ModelFolders(settings.model_repository), default_signature(), SystemClock())


if __name__ == "__main__":
    main()

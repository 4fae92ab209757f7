"""What serves the versions of a model, for the features in use."""

from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId
from triton_models.server import server_files
from triton_models.signature import Signature


def write_server(folders: ModelFolders, name: str, signature: Signature) -> None:
    """One server for all versions of a model, which answers the heads of any of them.

    Also of those that were set aside and read the features in use: a holdout may ask one of them still. Their
    heads keep their places, for Triton would start the model anew.
    """
    models = [ModelId(name, version) for version in folders.versions(name)]
    models += [model for model in folders.retired() if model.name == name]
    heads: dict[str, None] = {}
    for metadata in folders.readable(sorted(models, key=lambda model: int(model.version))):
        if metadata.fingerprint == signature.fingerprint:
            heads.update(dict.fromkeys(metadata.heads))
    folders.write_server(name, server_files(name, signature, tuple(heads)))

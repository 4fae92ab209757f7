"""What serves the versions of a model, for the features in use."""

from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId
from triton_models.server import server_files
from triton_models.signature import Signature


def write_server(folders: ModelFolders, name: str, signature: Signature) -> None:
    """One server for all versions of a model, which answers the heads of any of them."""
    heads: dict[str, None] = {}
    for version in folders.versions(name):
        heads.update(dict.fromkeys(folders.metadata(ModelId(name, version)).heads))
    folders.write_server(name, server_files(name, signature, tuple(heads)))

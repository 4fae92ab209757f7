"""How Triton is told of all versions of a model."""

from ranker.registry.folders import ModelFolders
from ranker.registry.models import ModelId
from triton_models.signature import Signature, config_pbtxt


def configure(folders: ModelFolders, name: str, signature: Signature) -> None:
    """Write one configuration for all versions of the model: the heads of any of them."""
    heads: dict[str, None] = {}
    for version in folders.versions(name):
        heads.update(dict.fromkeys(folders.metadata(ModelId(name, version)).heads))
    folders.write_config(name, config_pbtxt(name, signature, tuple(heads)))

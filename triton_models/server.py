"""What serves the versions of a model, as files of Triton's repository. Imports no torch."""

from pathlib import Path

from triton_models.signature import Signature, config_pbtxt

_CODE = Path(__file__).with_name("model.py")


def server_files(name: str, signature: Signature, heads: tuple[str, ...]) -> dict[str, bytes]:
    """Files of a model in Triton's repository: its configuration, and `model.py` as its only version.

    An empty file takes the place in which Python would keep the compiled module: Triton would take that
    for a change, and start the model anew when it is next asked to load it.
    """
    config, code = config_pbtxt(name, signature, heads), _CODE.read_bytes()
    return {"config.pbtxt": config.encode(), "1/model.py": code, "1/__pycache__": b""}

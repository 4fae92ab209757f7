"""A net, and what serves it, as the bytes that Triton and the embedded client load."""

import io
import warnings
from pathlib import Path

import torch
from torch import nn

from triton_models import model
from triton_models.signature import Signature, config_pbtxt


def module_files(net: nn.Module) -> dict[str, bytes]:
    """Files of a version folder: the TorchScript module."""
    return {"model.pt": torchscript(net)}


def server_files(name: str, signature: Signature, heads: tuple[str, ...]) -> dict[str, bytes]:
    """Files of a model in Triton's repository: its configuration, and `model.py` as its only version.

    An empty file takes the place in which Python would keep the compiled module: Triton would take that
    for a change, and start the model anew when it is next asked to load it.
    """
    config, code = config_pbtxt(name, signature, heads), Path(model.__file__).read_bytes()
    return {"config.pbtxt": config.encode(), "1/model.py": code, "1/__pycache__": b""}


def torchscript(net: nn.Module) -> bytes:
    """The net as TorchScript, on CPU, ready for inference."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch prefers torch.export, which needs its source
        torch.jit.save(torch.jit.script(net.cpu().eval()), buffer)
    return buffer.getvalue()

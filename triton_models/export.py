"""A net as the bytes that Triton and the embedded client load."""

import io
import warnings
from pathlib import Path

import torch
from torch import nn

from triton_models import model


def module_files(net: nn.Module) -> dict[str, bytes]:
    """Files of a version folder: the TorchScript module, and the `model.py` that serves it."""
    return {"model.pt": torchscript(net), "model.py": Path(model.__file__).read_bytes()}


def torchscript(net: nn.Module) -> bytes:
    """The net as TorchScript, on CPU, ready for inference."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch prefers torch.export, which needs its source
        torch.jit.save(torch.jit.script(net.cpu().eval()), buffer)
    return buffer.getvalue()

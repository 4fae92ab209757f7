"""A net as the bytes that Triton and the embedded client load."""

import io
import warnings

import torch
from torch import nn


def module_files(net: nn.Module) -> dict[str, bytes]:
    """Files of a version folder: the TorchScript module."""
    return {"model.pt": torchscript(net)}


def torchscript(net: nn.Module) -> bytes:
    """The net as TorchScript, on CPU, ready for inference."""
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # torch prefers torch.export, which needs its source
        torch.jit.save(torch.jit.script(net.cpu().eval()), buffer)
    return buffer.getvalue()

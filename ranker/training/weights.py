"""The weights of a version, beside the module that serves them: to go on from, and to compare."""

import io
from pathlib import Path
from pickle import UnpicklingError

import torch

from ranker.registry.models import RegistryError
from ranker.training.fit import Weights
from triton_models.export import module_files
from triton_models.timeline_ranker import TimelineRanker

WEIGHTS = "weights.pt"


def version_files(net: TimelineRanker) -> dict[str, bytes]:
    """Files of a version folder: what serves, and the weights."""
    buffer = io.BytesIO()
    torch.save(net.state_dict(), buffer)
    return {**module_files(net), WEIGHTS: buffer.getvalue()}


def load_weights(folder: Path) -> Weights:
    """The weights in a version folder.

    Raises
    ------
    RegistryError
        There are none, or the file is damaged.
    """
    path = folder / WEIGHTS
    try:
        weights: Weights = torch.load(path, weights_only=True)
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, UnpicklingError) as error:
        raise RegistryError(f"weights {path} cannot be read: {error}") from error
    return weights

"""Scores of training rows by a net, as numpy."""

from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from ranker.registry.models import ModelMetadata, RegistryError
from ranker.training.rows import Float32, Rows
from triton_models.model import Ranker
from triton_models.timeline_ranker import Columns

Inputs = tuple[torch.Tensor, torch.Tensor, torch.Tensor]

PART = 4_096
"""Rows that are normalised at once: their values stay in the processor's cache."""


def predict(net: nn.Module, rows: Rows, user: int) -> dict[str, Float32]:
    """head -> probabilities (n,) of a net whose first outputs are in the order of ``rows.labels``."""
    net.eval()
    with torch.inference_mode():
        scores = net(*inputs_of(rows, user))
    return {head: scores[:, column].numpy() for column, head in enumerate(rows.labels)}


def dense_columns(columns: Columns, rows: Rows, user: int) -> torch.Tensor:
    """(n, d) float32 that a net reads before it normalises: as served, and what recent ids say."""
    return torch.cat([columns(*part) for part in _parts_of(rows, user)])


def load_scorer(folder: Path, model: ModelMetadata, user: int) -> Callable[[Rows], Float32]:
    """Click probabilities of a registered version, run as it is served.

    Parameters
    ----------
    user : number of user columns, the first of the dense ones

    Raises
    ------
    RegistryError
        It does not load.
    """
    try:
        ranker = Ranker(folder, model.fingerprint)
        click = ranker.heads.index("click")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        reason = str(error).partition("\n")[0]  # torch adds where in its own code it was noticed
        raise RegistryError(f"model {model.id} is damaged: {folder} cannot be loaded: {reason}") from error
    return lambda rows: ranker(*inputs_of(rows, user))[click].numpy()


def _parts_of(rows: Rows, user: int) -> Iterator[Inputs]:
    """:func:`inputs_of`, some rows at a time."""
    return zip(*(torch.split(columns, PART) for columns in inputs_of(rows, user)), strict=True)


def inputs_of(rows: Rows, user: int) -> Inputs:
    """User and candidate columns, (n, u) and (n, k) float32, and ids (n, m) int64."""
    dense = torch.from_numpy(rows.dense)
    return dense[:, :user], dense[:, user:], torch.from_numpy(rows.ids)

"""Vectors of items by what is said of them: creator, genres, tags. Made before the net learns, then frozen.

Source: Deerwester et al., "Indexing by latent semantic analysis" (JASIS 1990); words weigh by how rare they
are.
"""

import torch

WIDTH = 16
_WORDS = 512
"""The words that are said most often; twice at least."""

_ITEMS = 50_000
"""The items that were seen most."""


def item_vectors(items: torch.Tensor, words: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids of items, and unit vectors whose products say how alike they are.

    Parameters
    ----------
    items : (n,) int64, in the order of time; 0: none
    words : (n, a) int64 of each, 0: none

    Returns
    -------
    (i,) int64 in ascending order, the first 0, and (i, WIDTH) float32, 0 where nothing is said of an item
    """
    known, row = _known(items)
    weights = _weights(words[row])
    axes = torch.linalg.eigh(weights.T @ weights).eigenvectors[:, -WIDTH:]
    vectors = torch.zeros(len(known) + 1, WIDTH)
    vectors[1:, : axes.shape[1]] = torch.nn.functional.normalize(weights @ axes)
    return torch.cat((known.new_zeros(1), known)), vectors


def _known(items: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Distinct items in ascending order, and the last row of each."""
    distinct, number, seen = torch.unique(items, return_inverse=True, return_counts=True)
    row = torch.zeros_like(distinct).scatter_reduce_(0, number, torch.arange(len(items)), "amax")
    most = torch.argsort(seen * (distinct != 0), descending=True, stable=True)[:_ITEMS].sort().values
    kept = most[distinct[most] != 0]
    return distinct[kept], row[kept]


def _weights(words: torch.Tensor) -> torch.Tensor:
    """(i, words) of the items, by what each word tells apart."""
    distinct, number, said = torch.unique(words, return_inverse=True, return_counts=True)
    said *= distinct != 0
    common = torch.argsort(said, descending=True, stable=True)[:_WORDS]
    common = common[said[common] > 1]
    column = torch.full_like(distinct, len(common))
    column[common] = torch.arange(len(common))
    has = torch.zeros(len(words), len(common) + 1).scatter_(1, column[number], 1.0)[:, :-1]
    return torch.nn.functional.normalize(has * torch.log(len(words) / has.sum(dim=0)))

"""What a user did last, beside a candidate: whether it is among that, and how much it is like that.

Source: Zhou et al., "Deep interest network" (arXiv 1706.06978) for looking at the user's history with the
candidate's eyes. Vectors of items are given, not learned: learned ones know the training part by heart.
"""

import torch
from torch import nn

SCALARS = 3
"""Columns that :class:`Recents` makes."""

_PRIOR = 2.0
"""Recent ids of no likeness that a mean is taken with: one click says little."""


class Recents(nn.Module):
    """Compares a candidate's id with the user's recent ones.

    Parameters
    ----------
    of, first, k : the id column to compare, and where the ``k`` columns of recent ids begin, the newest first
    known : (i,) int64 ids in ascending order, the first 0
    vectors : (i, w) float32 of length 1 or 0, the first 0, which stands for every id that is not known
    """

    known: torch.Tensor
    vectors: torch.Tensor
    weights: torch.Tensor

    def __init__(self, of: int, first: int, k: int, known: torch.Tensor, vectors: torch.Tensor) -> None:
        super().__init__()
        self.of, self.first, self.end = of, first, first + k
        self.prior = _PRIOR
        self.register_buffer("known", known)
        self.register_buffer("vectors", vectors)
        self.register_buffer("weights", 1 / torch.arange(1, k + 1, dtype=torch.float32))

    def forward(self, ids: torch.Tensor, of_user: torch.Tensor) -> torch.Tensor:
        """(n, SCALARS): 1/r summed over the places r, from 1, that hold the candidate; its mean likeness with
        the recent ids, a cosine; the highest.

        Parameters
        ----------
        ids : (n, m)
        of_user : (1, m), or (n, m) where candidates are of several users
        """
        candidate, recent = ids[:, self.of].unsqueeze(1), of_user[:, self.first : self.end]
        held = recent != 0
        same = ((candidate == recent) & held).to(self.weights.dtype)
        likeness = (self._vectors(candidate) * self._vectors(recent)).sum(dim=2)
        mean = likeness.sum(dim=1) / (held.sum(dim=1) + self.prior)
        return torch.stack((same @ self.weights, mean, likeness.amax(dim=1)), dim=1)

    def _vectors(self, ids: torch.Tensor) -> torch.Tensor:
        """(n, c) -> (n, c, w); 0 for ids that are not known."""
        place = torch.searchsorted(self.known, ids.contiguous()).clamp_max(self.known.shape[0] - 1)
        return self.vectors[torch.where(self.known[place] == ids, place, 0)]

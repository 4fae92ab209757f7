"""The benchmark's model: a fixed, seeded, untrained net of a usual size.

Source: Wang, She and Zhang, "MaskNet" (arXiv 2102.07619), two mask blocks in series.
"""

import torch
from torch import nn

from triton_models.signature import Signature

HEADS = ("click", "like", "reply", "dwell")
SEED = 20_240_229
_BUCKETS = 20_000
_EMBEDDING = 12
_MASK = 64
_HIDDEN = (128, 64)


class MaskBlock(nn.Module):
    """A layer whose input is gated, element by element, by a net over the whole feature vector."""

    def __init__(self, features: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.mask = nn.Sequential(nn.Linear(features, _MASK), nn.ReLU(), nn.Linear(_MASK, inputs))
        self.layer = nn.Sequential(nn.Linear(inputs, outputs), nn.LayerNorm(outputs), nn.ReLU())

    def forward(self, features: torch.Tensor, inputs: torch.Tensor) -> torch.Tensor:
        """(n, features), (n, inputs) -> (n, outputs)."""
        gated: torch.Tensor = self.layer(self.mask(features) * inputs)
        return gated


class Reference(nn.Module):
    """Dense columns and hashed ids through two mask blocks to one sigmoid per head.

    Parameters
    ----------
    user, candidate, ids : numbers of columns; further ids are not read
    """

    def __init__(self, user: int, candidate: int, ids: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(_BUCKETS, _EMBEDDING)
        features = user + candidate + ids * _EMBEDDING
        self.first = MaskBlock(features, features, _HIDDEN[0])
        self.second = MaskBlock(features, _HIDDEN[0], _HIDDEN[1])
        self.heads = nn.Linear(_HIDDEN[1], len(HEADS))
        self.buckets = _BUCKETS
        self.ids = ids

    def forward(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Scores (n, 4) float32 in (0, 1)."""
        embedded = self.embedding(ids[:, : self.ids] % self.buckets).flatten(1)
        dense = torch.cat((user.expand(candidates.shape[0], -1), candidates), dim=1)
        features = torch.cat((torch.sign(dense) * torch.log1p(dense.abs()), embedded), dim=1)
        return torch.sigmoid(self.heads(self.second(features, self.first(features, features))))


def build(signature: Signature) -> Reference:
    """The net with its seeded weights; the global random state is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)
        return Reference(len(signature.user), len(signature.candidate), len(signature.single_ids))

"""The trained ranker: normalised dense columns and hashed ids, crossed, to one probability per head.

Sources: Wang et al., "DCN V2" (arXiv 2008.13535), low-rank crosses in parallel with a deep net;
Weinberger et al., "Feature hashing" (arXiv 0902.2206).
"""

from dataclasses import dataclass

import torch
from torch import nn

CLIP = 4.0
"""Normalised columns stay within ± this many standard deviations."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the net.

    Attributes
    ----------
    buckets : rows of the table of each id column
    embedding : width of an id's vector
    crosses, rank : cross layers and the rank of their matrices
    hidden : widths of the deep part
    dropout : of the deep part and of whole id columns, while training
    """

    buckets: int = 4_096
    embedding: int = 4
    crosses: int = 2
    rank: int = 16
    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.5


class Normalise(nn.Module):
    """Signed logarithm of skewed columns, then standardised and clipped; not a number becomes average.

    Parameters
    ----------
    logarithmic : (d,) bool, columns to take the logarithm of
    mean, scale : (d,) float32, of the columns after the logarithm
    """

    logarithmic: torch.Tensor
    mean: torch.Tensor
    scale: torch.Tensor

    def __init__(self, logarithmic: torch.Tensor, mean: torch.Tensor, scale: torch.Tensor) -> None:
        super().__init__()
        self.register_buffer("logarithmic", logarithmic)
        self.register_buffer("mean", mean)
        self.register_buffer("scale", scale)
        self.clip = CLIP

    def forward(self, dense: torch.Tensor) -> torch.Tensor:
        """(n, d) -> (n, d)."""
        compressed = torch.sign(dense) * torch.log1p(dense.abs())
        standard = (torch.where(self.logarithmic, compressed, dense) - self.mean) / self.scale
        return torch.nan_to_num(standard, nan=0.0).clamp(-self.clip, self.clip)


class HashedIds(nn.Module):
    """One embedding table for all id columns, each with rows of its own; id 0 is the zero vector."""

    offsets: torch.Tensor

    def __init__(self, columns: int, buckets: int, width: int) -> None:
        super().__init__()
        self.table = nn.Embedding(columns * buckets, width)
        nn.init.normal_(self.table.weight, std=0.01)
        self.buckets = buckets
        self.register_buffer("offsets", torch.arange(columns) * buckets)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(n, m) int64 -> (n, m, width)."""
        vectors: torch.Tensor = self.table(ids % self.buckets + self.offsets)
        return vectors * (ids != 0).unsqueeze(-1).to(vectors.dtype)


class Cross(nn.Module):
    """``x0 * (V U x + b) + x``: every layer adds one degree of explicit interaction."""

    def __init__(self, width: int, rank: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, rank, bias=False)
        self.up = nn.Linear(rank, width)

    def forward(self, first: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(n, width) twice -> (n, width)."""
        crossed: torch.Tensor = first * self.up(self.down(present)) + present
        return crossed


class TimelineRanker(nn.Module):
    """Crosses and a deep net side by side over dense columns and id vectors.

    Parameters
    ----------
    normalise : fitted on the training part
    dense, ids : numbers of columns
    heads : number of outputs
    """

    def __init__(self, normalise: Normalise, dense: int, ids: int, heads: int, shape: Shape) -> None:
        super().__init__()
        self.normalise = normalise
        self.ids = HashedIds(ids, shape.buckets, shape.embedding)
        self.drop_ids = nn.Dropout1d(shape.dropout)
        width = dense + ids * shape.embedding
        self.crosses = nn.ModuleList(Cross(width, shape.rank) for _ in range(shape.crosses))
        self.deep = _deep(width, shape)
        self.heads = nn.Linear(width + shape.hidden[-1], heads)

    def logits(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """(n, heads), before the sigmoid; ``user`` is (1, u) or (n, u)."""
        dense = torch.cat((user.expand(candidates.shape[0], -1), candidates), dim=1)
        embedded = self.drop_ids(self.ids(ids)).flatten(1)
        first = torch.cat((self.normalise(dense), embedded), dim=1)
        crossed = first
        for cross in self.crosses:
            crossed = cross(first, crossed)
        logits: torch.Tensor = self.heads(torch.cat((crossed, self.deep(first)), dim=1))
        return logits

    def forward(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Probabilities (n, heads) float32."""
        return torch.sigmoid(self.logits(user, candidates, ids))


def _deep(width: int, shape: Shape) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((width, *shape.hidden), shape.hidden, strict=False):
        layers += [nn.Linear(before, after), nn.ReLU(), nn.Dropout(shape.dropout)]
    return nn.Sequential(*layers)

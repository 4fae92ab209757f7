"""The trained ranker: normalised dense columns and hashed ids, crossed, to one probability per head.

Several nets of the same shape, the members, read the same inputs side by side in one module. Their
mean is the score, and their disagreement says how far to trust it.

Sources: Wang et al., "DCN V2" (arXiv 2008.13535), low-rank crosses in parallel with a deep net;
Weinberger et al., "Feature hashing" (arXiv 0902.2206); Lakshminarayanan et al., "Simple and scalable
predictive uncertainty estimation using deep ensembles" (arXiv 1612.01474); Platt, "Probabilistic outputs
for support vector machines" (1999) for the calibration.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from triton_models.dropout import ByteDropout
from triton_models.recents import Recents

CLIP = 4.0
"""Normalised columns stay within ± this many standard deviations."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the net.

    Attributes
    ----------
    members : nets side by side
    buckets : rows of the table of each id column
    embedding : width of an id's vector
    crosses, rank : cross layers and the rank of their matrices
    hidden : widths of the deep part
    dropout : of the deep part and of what the crosses give, while training
    id_dropout : of whole id columns, while training: a model that leans on ids knows no new ones
    """

    members: int = 4
    buckets: int = 4_096
    embedding: int = 2
    crosses: int = 2
    rank: int = 16
    hidden: tuple[int, ...] = (64, 32)
    dropout: float = 0.3
    id_dropout: float = 0.7


class Columns(nn.Module):
    """The dense columns: the user's, the candidates', and what the user's recent ids say of these."""

    def __init__(self, recents: Sequence[Recents]) -> None:
        super().__init__()
        self.recents = nn.ModuleList(recents)

    def forward(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """(1, u) or (n, u), (n, k) and (n, m) -> (n, d)."""
        columns = [user.expand(candidates.shape[0], -1), candidates]
        for recents in self.recents:
            columns.append(recents(ids, ids[: user.shape[0]]))
        return torch.cat(columns, dim=1)


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


class Layer(nn.Module):
    """A linear layer of each member: (k, n, inputs) -> (k, n, outputs), in one batched product."""

    def __init__(self, members: int, inputs: int, outputs: int) -> None:
        super().__init__()
        bound = inputs**-0.5
        self.weight = nn.Parameter(torch.empty(members, inputs, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.zeros(members, 1, outputs))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """See the class."""
        return torch.baddbmm(self.bias, inputs, self.weight)


class Cross(nn.Module):
    """``x0 * (V U x + b) + x``: every layer adds one degree of explicit interaction."""

    def __init__(self, members: int, width: int, rank: int) -> None:
        super().__init__()
        self.down = Layer(members, width, rank)
        self.up = Layer(members, rank, width)

    def forward(self, first: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        """(k, n, width) twice -> (k, n, width)."""
        crossed: torch.Tensor = first * self.up(self.down(present)) + present
        return crossed


class TimelineRanker(nn.Module):
    """Crosses and a deep net side by side over dense columns and id vectors.

    Parameters
    ----------
    normalise : fitted on the training part
    dense, ids : numbers of columns, those that ``recents`` make and do not compare among them
    recents : what the user did last, by the columns of ids that follow the others
    heads : number of predicted probabilities

    Attributes
    ----------
    scale, shift : (heads,) calibration: the logit that serves is ``scale * logit + shift``
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(
        self,
        normalise: Normalise,
        dense: int,
        ids: int,
        heads: int,
        shape: Shape,
        recents: Sequence[Recents] = (),
    ) -> None:
        super().__init__()
        self.members = shape.members
        self.normalise = normalise
        self.columns = Columns(recents)
        self.singles = ids
        self.ids = HashedIds(ids, shape.buckets, shape.embedding)
        self.drop_ids = nn.Dropout1d(shape.id_dropout)
        self.drop_crossed = ByteDropout(shape.dropout)
        width = dense + ids * shape.embedding
        self.crosses = nn.ModuleList(Cross(shape.members, width, shape.rank) for _ in range(shape.crosses))
        self.deep = _deep(width, shape)
        self.linear = Layer(shape.members, width, heads)
        self.heads = Layer(shape.members, width + shape.hidden[-1], heads)
        self.register_buffer("scale", torch.ones(heads))
        self.register_buffer("shift", torch.zeros(heads))

    def logits(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """(k, n, heads) of each member, not calibrated; ``user`` is (1, u) or (n, u)."""
        dense = self.columns(user, candidates, ids)
        return self.logits_of_normal(self.normalise(dense), ids[:, : self.singles])

    def logits_of_normal(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """As :meth:`logits`, of ``columns`` that went through ``normalise``, and ids without recent ones."""
        embedded = self.drop_ids(self.ids(ids)).flatten(1)
        first = torch.cat((dense, embedded), dim=1).expand(self.members, -1, -1)
        crossed = first
        for cross in self.crosses:
            crossed = cross(first, crossed)
        found = torch.cat((self.drop_crossed(crossed), self.deep(first)), dim=2)
        logits: torch.Tensor = self.linear(first) + self.heads(found)
        return logits

    def forward(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """(n, 2 heads) float32: calibrated probabilities, then their standard deviation over the members."""
        logits = self.logits(user, candidates, ids) * self.scale + self.shift
        spread = torch.sigmoid(logits).std(dim=0, correction=0)
        return torch.cat((torch.sigmoid(logits.mean(dim=0)), spread), dim=1)


def output_names(heads: tuple[str, ...]) -> tuple[str, ...]:
    """What the columns of :meth:`TimelineRanker.forward` are called."""
    return (*heads, *(f"{head}_spread" for head in heads))


def heads_of(outputs: tuple[str, ...]) -> tuple[str, ...]:
    """The inverse of :func:`output_names`."""
    return outputs[: len(outputs) // 2]


def _deep(width: int, shape: Shape) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before, after in zip((width, *shape.hidden), shape.hidden, strict=False):
        layers += [Layer(shape.members, before, after), nn.ReLU(), ByteDropout(shape.dropout)]
    return nn.Sequential(*layers)

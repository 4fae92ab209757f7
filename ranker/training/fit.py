"""Fitting the net: listwise on clicks, pointwise on every head, aware of positions, seeded.

Sources: Guo et al., "PAL" (RecSys 2019) for the position that exists only while training; Joachims et al.,
"Unbiased learning-to-rank with biased feedback" (WSDM 2017) for weighing by inverse propensities.
"""

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
import torch
from torch import nn

from ranker.training.calibration import calibrate
from ranker.training.importance import effective_rows, importance_weights
from ranker.training.likeness import item_vectors
from ranker.training.loss import loss_gradient
from ranker.training.metrics import ndcg
from ranker.training.optimizer import OneCycleAdamW
from ranker.training.passes import Passes
from ranker.training.predict import PART, dense_columns, predict
from ranker.training.rows import Rows
from triton_models.recents import Recents
from triton_models.timeline_ranker import Columns, Normalise, Shape, TimelineRanker

MAX_POSITION = 63
"""Later positions share one bias."""

Weights = Mapping[str, torch.Tensor]
"""A net's `state_dict`."""

OnEpoch = Callable[[int, int, float | None], None]
"""(epochs done, epochs at most, NDCG@10 of the validation part or None)"""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What, with the same rows, makes the same weights.

    Attributes
    ----------
    epochs : at most; the learning rate is annealed over them
    patience : epochs without a better validation part before stopping
    batch_requests : requests in a step, fewer where an epoch would have less than ``min_steps``
    listwise : weight of the softmax over a request's clicks
    weight_cap : inverse propensities count up to so many times their median: at 3, a log with 5 % of
        exploration is still worth 86 % of its rows, at 10 only 35 %
    skewed_above : columns that exceed this in size are seen by their logarithm
    threads : of torch, for the whole process; more only helps on a machine that does nothing else
    """

    seed: int = 1
    epochs: int = 6
    patience: int = 2
    batch_requests: int = 32
    min_steps: int = 50
    learning_rate: float = 2e-3
    weight_decay: float = 1e-4
    listwise: float = 0.3
    weight_cap: float = 3.0
    skewed_above: float = 10.0
    threads: int = 1
    shape: Shape = field(default_factory=Shape)

    def batch_of(self, requests: int) -> int:
        """Requests in a step, for a training part of ``requests``."""
        return max(1, min(self.batch_requests, requests // self.min_steps))

    def as_dict(self) -> dict[str, Any]:
        """For the metadata of the version, as it reads back from JSON."""
        return {**asdict(self), "shape": {**asdict(self.shape), "hidden": list(self.shape.hidden)}}


@dataclass(frozen=True, slots=True)
class Fitted:
    """A trained net, calibrated where there was a validation part.

    Attributes
    ----------
    epochs : passes over the training part that made it
    effective_rows : how many equally heavy rows the training part is worth; all of them, unless
        propensities were logged and differ
    """

    net: TimelineRanker
    epochs: int
    effective_rows: float


def fit(
    train: Rows,
    validation: Rows | None,
    user: int,
    parameters: Parameters,
    on_epoch: OnEpoch,
    *,
    start: Weights | None = None,
) -> Fitted:
    """Train until the validation part gets no better, or for all epochs where there is none.

    Parameters
    ----------
    user : number of user columns, the first of the dense ones
    start : weights of a net of the same shape and heads to go on from, its normalisation included
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(parameters.seed)
        torch.set_num_threads(parameters.threads)
        fitted = _Fit(train, user, parameters, start).run(validation, on_epoch)
    if validation is not None:
        calibrate(fitted.net, validation, user)
    return fitted


class _Fit:
    def __init__(self, rows: Rows, user: int, parameters: Parameters, start: Weights | None) -> None:
        self._rows, self._user, self._parameters = rows, user, parameters
        self._labels = torch.from_numpy(np.stack(list(rows.labels.values())))
        self._position = torch.from_numpy(rows.position.clip(0, MAX_POSITION))
        self._weights = torch.from_numpy(importance_weights(rows.propensity, parameters.weight_cap))
        recents = recents_of(rows, start)
        dense = dense_columns(Columns(recents), rows, user)
        self._net = _net_over(recents, dense.clone(), rows, parameters)
        if start is not None:
            self._net.load_state_dict(start)
        self._dense = torch.cat([self._net.normalise(part) for part in torch.split(dense, PART)])
        self._ids = torch.from_numpy(rows.ids[:, : self._net.singles]).T.contiguous()
        self._bias = _position_bias(self._position, len(rows.labels))
        self._passes = Passes(self._net, parameters.shape, parameters.seed)
        weights = [*self._net.parameters(), *self._bias.parameters()]
        steps = parameters.epochs * -(-rows.requests // parameters.batch_of(rows.requests))
        self._optimizer = OneCycleAdamW(weights, parameters.learning_rate, parameters.weight_decay, steps)

    def run(self, validation: Rows | None, on_epoch: OnEpoch) -> Fitted:
        best, best_epoch, best_value = self._exported(), 0, -1.0
        for epoch in range(1, self._parameters.epochs + 1):
            self._epoch(epoch)
            net = self._exported()
            value = None if validation is None else _quality(net, validation, self._user)
            on_epoch(epoch, self._parameters.epochs, value)
            if value is None or value > best_value:
                best, best_epoch, best_value = net, epoch, value or 0.0
            elif epoch - best_epoch >= self._parameters.patience:
                break
        return Fitted(best, best_epoch, effective_rows(self._weights.numpy()))

    @torch.no_grad()
    def _epoch(self, epoch: int) -> None:
        for rows, request in _batches(self._rows, self._parameters, epoch):
            position = self._position[rows]
            logits = (
                self._passes.forward(self._dense.index_select(0, rows).T, self._ids.index_select(1, rows))
                + self._bias(position).T
            )
            labels, weights = self._labels.index_select(1, rows), self._weights[rows]
            gradient = loss_gradient(logits, labels, request, weights, self._parameters.listwise)
            self._passes.backward(gradient)
            if self._bias.weight.requires_grad:
                by_position = torch.zeros_like(self._bias.weight)
                self._bias.weight.grad = by_position.index_add_(0, position, gradient.sum(dim=0).T)
            self._optimizer.step()

    def _exported(self) -> TimelineRanker:
        """The net as it serves: without positions, at the average of their biases."""
        net = copy.deepcopy(self._net).eval()
        with torch.no_grad():
            net.heads.bias.add_(self._bias(self._position).mean(dim=0))
        return net


def _batches(rows: Rows, parameters: Parameters, epoch: int) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """(rows, index of each row's request within the batch), whole requests, in a seeded random order."""
    order = np.random.default_rng((parameters.seed, epoch)).permutation(rows.requests)
    sizes, size = np.diff(rows.starts)[order], parameters.batch_of(rows.requests)
    ends = np.cumsum(sizes)
    chosen = torch.from_numpy(np.arange(len(rows)) + np.repeat(rows.starts[order] - (ends - sizes), sizes))
    request = torch.from_numpy(np.repeat(np.arange(rows.requests) % size, sizes))
    in_batch = np.diff(ends[[*range(size - 1, rows.requests - 1, size), -1]], prepend=0).tolist()
    yield from zip(torch.split(chosen, in_batch), torch.split(request, in_batch), strict=True)


def net_of(rows: Rows, user: int, parameters: Parameters) -> TimelineRanker:
    """A net that has learned nothing but how the columns of ``rows`` are spread, and which items are alike.

    Parameters
    ----------
    user : number of user columns
    """
    recents = recents_of(rows)
    return _net_over(recents, dense_columns(Columns(recents), rows, user), rows, parameters)


def _net_over(
    recents: Sequence[Recents], dense: torch.Tensor, rows: Rows, parameters: Parameters
) -> TimelineRanker:
    """A net over the (n, d) columns ``dense``, which are overwritten."""
    dense.nan_to_num_()
    logarithmic = dense.abs().amax(dim=0) > parameters.skewed_above
    skewed = dense[:, logarithmic]
    dense[:, logarithmic] = torch.sign(skewed) * torch.log1p(skewed.abs())
    mean = dense.mean(dim=0)
    variance = (dense - mean).square_().sum(dim=0) / (len(dense) - 1)  # torch's own takes six times as long
    normalise = Normalise(logarithmic, mean, variance.sqrt().clamp_min(1e-6))
    singles = rows.ids.shape[1] - sum(places.k for places in rows.recents)
    return TimelineRanker(normalise, dense.shape[1], singles, len(rows.labels), parameters.shape, recents)


def recents_of(rows: Rows, start: Weights | None = None) -> list[Recents]:
    """What compares candidates with recent ids; which items are alike says ``start``, else ``rows``."""
    ids = torch.from_numpy(rows.ids)
    made = []
    for number, (of, first, k, alike) in enumerate(rows.recents):
        if start is None:
            known, vectors = item_vectors(ids[:, of], ids[:, list(alike)])
        else:
            known, vectors = (start[f"columns.recents.{number}.{name}"] for name in ("known", "vectors"))
        made.append(Recents(of, first, k, known, vectors))
    return made


def _position_bias(position: torch.Tensor, heads: int) -> nn.Embedding:
    """A bias for each position and head, 0 to begin with; not learned where positions do not vary."""
    bias = nn.Embedding(MAX_POSITION + 1, heads)
    nn.init.zeros_(bias.weight)
    bias.weight.requires_grad_(bool((position != position[0]).any()))
    return bias


def _quality(net: nn.Module, rows: Rows, user: int) -> float:
    return float(ndcg(predict(net, rows, user)["click"], rows).mean())

"""Forward and backward through the net while it learns, written out: what autograd finds, in less time.

Columns are rows here, (columns, n) or (members, columns, n): products are of long rows, and nothing is laid
out anew. Only what a gradient needs is kept, the rest is changed in place, so that a step stays in the
processor's cache. The gradient of the dense columns, which nobody asks for, is not made.

The net that serves says what is computed; a test holds these gradients to those that autograd finds of it.
"""

import torch

from ranker.training.masks import Masks
from triton_models.timeline_ranker import Cross, HashedIds, Layer, Shape, TimelineRanker


class Passes:
    """One forward after another, each with its backward, which sets ``grad`` of the net's parameters.

    Parameters
    ----------
    shape : of the net
    seed : of dropout
    """

    def __init__(self, net: TimelineRanker, shape: Shape, seed: int) -> None:
        masks, dense = Masks(seed), len(net.normalise.mean)

        def dropped(layer: Layer) -> _Product:
            return _Product(layer, 0, _Dropout(masks, shape.dropout))

        self._members, self._embedded = net.members, len(net.ids.offsets) * shape.embedding
        self._ids = _Ids(net.ids, masks, shape.id_dropout)
        crosses = [cross for cross in net.crosses if isinstance(cross, Cross)]
        self._crosses = [_Cross(cross, dense, 0 if at else dense) for at, cross in enumerate(crosses)]
        layers = [layer for layer in net.deep if isinstance(layer, Layer)]
        self._deep = [_Hidden(_Product(layers[0], dense)), *(_Hidden(dropped(layer)) for layer in layers[1:])]
        self._linear, self._heads = _Product(net.linear, dense), dropped(net.heads)
        self._found = [dense + self._embedded, shape.hidden[-1]]

    @torch.no_grad()
    def forward(self, dense: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Logits (k, heads, n) of normalised columns (d, n) and ids (m, n)."""
        first = torch.cat((dense, self._ids.forward(ids))).expand(self._members, -1, -1)
        crossed = deep = first
        for cross in self._crosses:
            crossed = cross.forward(first, crossed)
        for hidden in self._deep:
            deep = hidden.forward(deep)
        found = torch.cat((crossed, deep), dim=1)
        return self._heads.forward(found).add_(self._linear.forward(first))

    @torch.no_grad()
    def backward(self, gradient: torch.Tensor) -> None:
        """From the gradient of the last forward's logits, (k, heads, n), to those of the parameters."""
        crossed, deep = torch.split(self._heads.backward(gradient), self._found, dim=1)
        embedded = self._linear.backward(gradient)
        for hidden in reversed(self._deep):
            deep = hidden.backward(deep)
        embedded += deep
        for cross in reversed(self._crosses):
            crossed, first = cross.backward(crossed)
            embedded += first
        embedded += crossed[:, crossed.shape[1] - self._embedded :]
        self._ids.backward(embedded.sum(dim=0))


class _Product:
    """A layer of each member, (k, inputs, n) -> (k, outputs, n), after dropout of its inputs, in place.

    Inputs before ``start`` get no gradient.
    """

    def __init__(self, layer: Layer, start: int = 0, dropout: "_Dropout | None" = None) -> None:
        self._layer, self._start, self._dropout = layer, start, dropout

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self._inputs = inputs if self._dropout is None else self._dropout.forward(inputs)
        return torch.baddbmm(self._layer.bias.mT, self._layer.weight.mT, self._inputs)

    def backward(self, gradient: torch.Tensor) -> torch.Tensor:
        self._layer.weight.grad = torch.bmm(self._inputs, gradient.mT)
        self._layer.bias.grad = gradient.sum(dim=2).unsqueeze(1)
        of_inputs = torch.bmm(self._layer.weight[:, self._start :], gradient)
        return of_inputs if self._dropout is None else self._dropout.backward(of_inputs)


class _Cross:
    """``x0 * (V U x + b) + x``; gradients of x from ``start`` on, and of the id vectors in x0."""

    def __init__(self, cross: Cross, dense: int, start: int) -> None:
        self._down, self._up = _Product(cross.down, start), _Product(cross.up)
        self._dense, self._start = dense, start

    def forward(self, first: torch.Tensor, present: torch.Tensor) -> torch.Tensor:
        self._first, self._by = first, self._up.forward(self._down.forward(present))
        return torch.addcmul(present, first, self._by)

    def backward(self, gradient: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        of_first = gradient[:, self._dense :] * self._by[:, self._dense :]
        of_present = self._down.backward(self._up.backward(gradient * self._first))
        return of_present.add_(gradient[:, self._start :]), of_first


class _Hidden:
    """A product, its negative outputs cut off. Where dropout clears one later, no gradient comes back."""

    def __init__(self, product: _Product) -> None:
        self._product = product

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        self._outputs = self._product.forward(inputs).relu_()
        return self._outputs

    def backward(self, gradient: torch.Tensor) -> torch.Tensor:
        return self._product.backward(torch.ops.aten.threshold_backward(gradient, self._outputs, 0))


class _Dropout:
    """Dropout in place."""

    def __init__(self, masks: Masks, rate: float) -> None:
        self._masks, self._rate = masks, rate

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        self._mask = self._masks.draw(self._rate, tuple(values.shape))
        return values.mul_(self._mask)

    def backward(self, gradient: torch.Tensor) -> torch.Tensor:
        return gradient.mul_(self._mask)


class _Ids:
    """Vectors of hashed ids (m, n) -> (m * width, n), whole ids dropped."""

    def __init__(self, ids: HashedIds, masks: Masks, rate: float) -> None:
        self._table, self._buckets, self._masks, self._rate = ids.table.weight, ids.buckets, masks, rate
        self._offsets = ids.offsets.unsqueeze(1)
        self._each = torch.arange(self._table.shape[1]).unsqueeze(1)

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        rows = (ids % self._buckets).add_(self._offsets)
        self._places = rows.mul_(len(self._each)).unsqueeze(1) + self._each
        self._seen = self._masks.draw(self._rate, tuple(ids.shape)).mul_(ids != 0).unsqueeze(1)
        return self._table.take(self._places).mul_(self._seen).flatten(0, 1)

    def backward(self, gradient: torch.Tensor) -> None:
        each = gradient.view(self._places.shape) * self._seen
        summed = gradient.new_zeros(self._table.numel()).scatter_add_(
            0, self._places.flatten(), each.flatten()
        )
        self._table.grad = summed.view_as(self._table)

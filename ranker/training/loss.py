"""The loss, listwise on clicks and pointwise on every head, and its gradient written out.

Sources: Cao et al., "Learning to rank: from pairwise approach to listwise approach" (ICML 2007) for
the softmax over a request; Bai et al., "Regression compatible listwise objectives" (arXiv 2211.01494)
for both losses together, so that the order is learned and the heads stay probabilities.
"""

import torch
from torch.nn import functional


def loss(
    logits: torch.Tensor, labels: torch.Tensor, request: torch.Tensor, weights: torch.Tensor, listwise: float
) -> torch.Tensor:
    """Mean log loss of the heads, plus ``listwise`` times the :func:`listwise_loss` of clicks.

    Parameters
    ----------
    logits : (k, heads, n), of each member; clicks are the first head
    labels : (heads, n)
    request, weights : as for :func:`listwise_loss`
    """
    pointwise = functional.binary_cross_entropy_with_logits(logits, labels.expand_as(logits), weights)
    return pointwise + listwise * listwise_loss(logits[:, 0], labels[0], request, weights)


def loss_gradient(
    logits: torch.Tensor, labels: torch.Tensor, request: torch.Tensor, weights: torch.Tensor, listwise: float
) -> torch.Tensor:
    """Gradient of :func:`loss` with respect to the logits."""
    members, requests = len(logits), int(request[-1]) + 1
    gradient = torch.sigmoid(logits).sub_(labels).mul_(weights / logits.numel())
    share = _share(labels[0], request, weights)
    shares = share.new_zeros(requests).index_add_(0, request, share).index_select(0, request)
    exponentials = _shifted(logits[:, 0], request).exp_()
    total = logits.new_zeros(members, requests).index_add_(1, request, exponentials)
    softmax = exponentials.div_(total.index_select(1, request))
    gradient[:, 0] += softmax.mul_(shares).sub_(share).mul_(listwise / (members * requests))
    return gradient


def listwise_loss(
    logits: torch.Tensor, labels: torch.Tensor, request: torch.Tensor, weights: torch.Tensor
) -> torch.Tensor:
    """Cross-entropy between a request's clicks and the softmax over its rows, mean over requests and members.

    Parameters
    ----------
    logits : (k, n), of each member
    labels : (n,)
    request : (n,) int64, index of each row's request, from 0
    weights : (n,), of the clicks among the rows
    """
    members, requests = len(logits), int(request[-1]) + 1
    shifted = _shifted(logits, request)
    total = logits.new_zeros(members, requests).index_add(1, request, shifted.exp())
    losses = (total.log()[:, request] - shifted) * _share(labels, request, weights)
    return losses.sum() / (members * requests)


def _shifted(logits: torch.Tensor, request: torch.Tensor) -> torch.Tensor:
    """(k, n) logits below the highest of their request."""
    lowest = logits.new_full((len(logits), int(request[-1]) + 1), -torch.inf)
    highest = lowest.scatter_reduce(1, request.expand_as(logits), logits.detach(), "amax")
    return logits - highest.index_select(1, request)


def _share(labels: torch.Tensor, request: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """(n,) weighted share of each row in the clicks of its request."""
    clicks = labels.new_zeros(int(request[-1]) + 1).index_add(0, request, labels)
    return weights * labels / clicks.clamp_min(1.0).index_select(0, request)

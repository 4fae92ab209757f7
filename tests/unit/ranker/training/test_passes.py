"""What is written out by hand is what the net computes, and its gradients are those that autograd finds."""

import pytest
import torch

from ranker.training.fit import Parameters, net_of
from ranker.training.loss import loss, loss_gradient
from ranker.training.passes import Passes
from ranker.training.predict import inputs_of
from ranker.training.rows import Rows
from triton_models.timeline_ranker import Shape, TimelineRanker

SHAPES = (
    Shape(buckets=16, dropout=0.0, id_dropout=0.0),
    Shape(members=2, buckets=16, embedding=1, crosses=1, hidden=(8,), dropout=0.0, id_dropout=0.0),
    Shape(members=1, buckets=16, embedding=3, crosses=0, hidden=(8, 6, 4), dropout=0.0, id_dropout=0.0),
)


def net_with(rows: Rows, shape: Shape) -> TimelineRanker:
    torch.manual_seed(5)
    net = net_of(rows, 2, Parameters(shape=shape))
    for bias in (weight for name, weight in net.named_parameters() if name.endswith("bias")):
        torch.nn.init.normal_(bias, std=0.1)
    return net


def found_in(gradient: torch.Tensor | None) -> torch.Tensor:
    assert gradient is not None
    return gradient


def inputs(net: TimelineRanker, rows: Rows) -> tuple[torch.Tensor, torch.Tensor]:
    user, candidates, ids = inputs_of(rows.between(0, 10), 2)
    return net.normalise(net.columns(user, candidates, ids)), ids[:, : net.singles].clone()


@pytest.mark.parametrize("shape", SHAPES)
def test_logits_and_gradients_are_those_of_the_net(rows: Rows, shape: Shape) -> None:
    net = net_with(rows, shape)
    dense, ids = inputs(net, rows)
    ids[::3] = 0
    logits = net.logits_of_normal(dense, ids).mT
    towards = torch.randn_like(logits)
    (logits * towards).sum().backward()  # type: ignore[no-untyped-call]
    expected = {name: weight.grad for name, weight in net.named_parameters()}
    net.zero_grad()

    passes = Passes(net, shape, seed=1)
    assert torch.allclose(passes.forward(dense.T, ids.T), logits, rtol=1e-4, atol=1e-5)
    passes.backward(towards)
    for name, weight in net.named_parameters():
        assert torch.allclose(found_in(weight.grad), found_in(expected[name]), rtol=1e-4, atol=1e-4), name


def test_with_dropout_a_step_along_the_gradients_gains_what_they_say(rows: Rows) -> None:
    shape = Shape(buckets=16, dropout=0.3, id_dropout=0.7)
    net = net_with(rows, shape).double()
    dense, ids = (column.T for column in inputs(net, rows))

    def total() -> torch.Tensor:
        return Passes(net, shape, seed=1).forward(dense, ids).sum()

    passes = Passes(net, shape, seed=1)
    passes.backward(torch.ones_like(passes.forward(dense, ids)))
    step = 1e-6
    for weight in net.parameters():
        assert weight.grad is not None
        before, moved = total(), step * weight.grad
        with torch.no_grad():
            weight.add_(moved)
        gained = (total() - before).item()
        with torch.no_grad():
            weight.sub_(moved)
        assert gained == pytest.approx(step * weight.grad.square().sum().item(), rel=1e-2)


def test_the_gradient_of_the_loss_is_that_of_autograd() -> None:
    chance = torch.Generator().manual_seed(2)
    logits = 20 * torch.randn(3, 2, 9, generator=chance)
    logits[0, 0, 0] = 300.0
    labels = torch.tensor([[1.0, 0, 1, 0, 0, 0, 1, 0, 0], [0, 1, 1, 0, 0, 0, 1, 0, 1]])
    request = torch.tensor([0, 0, 0, 1, 1, 2, 2, 2, 2])
    weights = torch.rand(9, generator=chance)
    logits.requires_grad_()
    loss(logits, labels, request, weights, 0.3).backward()  # type: ignore[no-untyped-call]
    found = loss_gradient(logits.detach(), labels, request, weights, 0.3)
    assert torch.allclose(found, found_in(logits.grad), rtol=1e-5, atol=1e-8)

"""Our steps are those of torch's classes, without what these import."""

import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
from torch import nn

from ranker.training.optimizer import OneCycleAdamW

PEAK, DECAY = 2e-2, 1e-2


def moved(steps: int, optimizer_of: Callable[[list[nn.Parameter]], Callable[[], None]]) -> list[torch.Tensor]:
    """Weights after steps on seeded gradients; one has a gradient now and then, one never."""
    chance = torch.Generator().manual_seed(3)
    weights = [nn.Parameter(torch.randn(shape, generator=chance)) for shape in ((5, 3), (7,), (2, 2))]
    weights[2].requires_grad_(False)
    step = optimizer_of(weights)
    for number in range(steps):
        weights[0].grad = torch.randn((5, 3), generator=chance)
        weights[1].grad = torch.randn((7,), generator=chance) if number % 3 else None
        step()
    return [weight.detach() for weight in weights]


def with_classes(steps: int) -> Callable[[list[nn.Parameter]], Callable[[], None]]:
    def made(weights: list[nn.Parameter]) -> Callable[[], None]:
        optimizer = torch.optim.AdamW(weights, lr=PEAK, weight_decay=DECAY, fused=True)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, PEAK, total_steps=steps)

        def step() -> None:
            optimizer.step()
            schedule.step()

        return step

    return made


@pytest.mark.parametrize("steps", [4, 50, 301])
def test_it_moves_weights_as_the_classes_do(steps: int) -> None:
    expected = moved(steps, with_classes(steps))
    found = moved(steps, lambda weights: OneCycleAdamW(weights, PEAK, DECAY, steps).step)
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-7)


def test_it_does_not_import_the_compiler() -> None:
    code = (
        "import sys, torch; from ranker.training.optimizer import OneCycleAdamW as A;"
        "w = torch.nn.Parameter(torch.ones(3)); w.grad = torch.ones(3); A([w], 1., 0., 9).step();"
        "assert 'torch._dynamo' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

"""AdamW whose learning rate rises and falls once, by torch's functional form of it.

torch's optimizer classes import its compiler when they are first used: up to ten seconds of processor
time, each time that a process trains.

Sources: Loshchilov and Hutter, "Decoupled weight decay regularization" (ICLR 2019); Smith and Topin,
"Super-convergence" (arXiv 1708.07120), with the phases and momenta that torch's `OneCycleLR` has by default.
"""

from collections.abc import Iterable
from math import cos, pi

import torch
from torch import nn
from torch.optim.adamw import adamw

_RISING = 0.3
"""Share of the steps until the learning rate is at its peak."""

_FIRST, _LAST = 1 / 25, 1 / 25 / 1e4
"""Learning rates at the first and last step, as shares of the peak."""

_MOST_MOMENTUM, _LEAST_MOMENTUM = 0.95, 0.85
_SQUARES, _EPSILON = 0.999, 1e-8


class OneCycleAdamW:
    """Makes one step after another out of the gradients of some weights.

    Parameters
    ----------
    weights : those that have no gradient are left alone
    peak : learning rate at its highest
    steps : of the whole cycle
    """

    def __init__(self, weights: Iterable[nn.Parameter], peak: float, weight_decay: float, steps: int) -> None:
        self._weights = [weight for weight in weights if weight.requires_grad]
        self._peak, self._weight_decay, self._steps = peak, weight_decay, steps
        self._means = [torch.zeros_like(weight) for weight in self._weights]
        self._squares = [torch.zeros_like(weight) for weight in self._weights]
        self._taken = [torch.zeros(()) for _ in self._weights]
        self._step = 0

    @torch.no_grad()
    def step(self) -> None:
        """Move the weights against their gradients, and clear those."""
        rate, momentum = one_cycle(self._step, self._steps)
        moved = [number for number, weight in enumerate(self._weights) if weight.grad is not None]
        adamw(
            [self._weights[number] for number in moved],
            [grad for weight in self._weights if (grad := weight.grad) is not None],
            [self._means[number] for number in moved],
            [self._squares[number] for number in moved],
            [],
            [self._taken[number] for number in moved],
            fused=True,
            amsgrad=False,
            beta1=momentum,
            beta2=_SQUARES,
            lr=self._peak * rate,
            weight_decay=self._weight_decay,
            eps=_EPSILON,
            maximize=False,
        )
        self._step += 1
        for weight in self._weights:
            weight.grad = None


def one_cycle(step: int, steps: int) -> tuple[float, float]:
    """Learning rate as a share of its peak, and momentum, at a step of a cycle of ``steps``."""
    turn = _RISING * steps - 1
    if step <= turn:
        done = step / turn
        return _between(_FIRST, 1.0, done), _between(_MOST_MOMENTUM, _LEAST_MOMENTUM, done)
    done = (step - turn) / (steps - 1 - turn)
    return _between(1.0, _LAST, done), _between(_LEAST_MOMENTUM, _MOST_MOMENTUM, done)


def _between(first: float, last: float, done: float) -> float:
    """On half a cosine wave."""
    return last + (first - last) / 2 * (1 + cos(pi * done))

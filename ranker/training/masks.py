"""Dropout masks while learning, from numpy's fastest generator: torch's takes twice as long."""

from math import prod

import numpy as np
import torch

_CHANCES = 256
_BYTES = 8


class Masks:
    """Draws a byte for each value, as :class:`triton_models.dropout.ByteDropout` does; seeded."""

    def __init__(self, seed: int) -> None:
        self._words = np.random.SFC64(seed)

    def draw(self, rate: float, shape: tuple[int, ...]) -> torch.Tensor:
        """0 with probability ``rate``, rounded to 1/256, else what keeps the mean at 1."""
        dropped = round(rate * _CHANCES)
        if dropped == 0:
            return torch.ones(shape)
        size = prod(shape)
        words = torch.from_numpy(self._words.random_raw(-(-size // _BYTES)))
        drawn = words.view(torch.uint8)[:size].view(shape)
        kept = drawn.clamp_(dropped - 1, dropped).sub_(dropped - 1)
        return kept.float().mul_(_CHANCES / (_CHANCES - dropped))

"""Dropout that draws a byte for each value: drawing is what costs, and a byte is chance enough."""

import torch
from torch import nn

_CHANCES = 256
_BYTES = 8


class ByteDropout(nn.Module):
    """Drops each value with probability ``rate``, rounded to 1/256, and scales the others up; while training.

    Source: Srivastava et al., "Dropout" (JMLR 2014).

    Parameters
    ----------
    rate : in [0, 1)
    """

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.dropped = round(rate * _CHANCES)
        self.scale = _CHANCES / (_CHANCES - self.dropped)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Any shape -> the same shape."""
        if not self.training or self.dropped == 0:
            return values
        return values * self._mask(values)

    @torch.jit.unused
    def _mask(self, like: torch.Tensor) -> torch.Tensor:
        """0 where a byte is below ``dropped``, else ``scale``."""
        words = torch.empty(-(-like.numel() // _BYTES), dtype=torch.int64).random_(-(2**63), None)
        drawn = words.view(torch.uint8)[: like.numel()].view(like.shape)
        return drawn.to(like.dtype).sub_(self.dropped - 1).clamp_(0, 1).mul_(self.scale)

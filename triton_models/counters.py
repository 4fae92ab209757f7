"""The model of a fresh install: nothing learned, the item's smoothed click rate."""

import torch
from torch import nn

HEADS = ("click",)


class Counters(nn.Module):
    """``(clicks + 1) / (impressions + 8)`` of the item.

    Parameters
    ----------
    impressions, clicks : positions of the two counters among the candidate columns
    """

    def __init__(self, impressions: int, clicks: int) -> None:
        super().__init__()
        self.impressions = impressions
        self.clicks = clicks
        self.prior_clicks = 1.0
        self.prior_impressions = 8.0

    def forward(self, user: torch.Tensor, candidates: torch.Tensor, ids: torch.Tensor) -> torch.Tensor:
        """Scores (n, 1) float32."""
        clicks = candidates[:, self.clicks : self.clicks + 1]
        impressions = candidates[:, self.impressions : self.impressions + 1]
        return (clicks + self.prior_clicks) / (impressions + self.prior_impressions)

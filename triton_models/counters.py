"""The model of a fresh install: nothing learned, the item's smoothed click rate."""

import torch
from torch import nn

from triton_models.signature import Signature

HEADS = ("click",)
IMPRESSIONS = "item.impression_count_total"
CLICKS = "item.click_count_total"


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


def build(signature: Signature) -> Counters:
    """The model over a feature service.

    Raises
    ------
    ValueError
        The service lacks one of the two counters.
    """
    return Counters(signature.candidate.index(IMPRESSIONS), signature.candidate.index(CLICKS))

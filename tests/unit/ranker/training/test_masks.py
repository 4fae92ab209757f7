"""Masks drop as often as they say, keep the mean, and are those of their seed."""

import pytest
import torch

from ranker.training.masks import Masks

SHAPE = (7, 30_001)


def test_they_drop_at_their_rate_and_keep_the_mean() -> None:
    mask = Masks(1).draw(0.3, SHAPE)
    assert mask.shape == SHAPE
    assert (mask == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert mask.mean().item() == pytest.approx(1.0, abs=0.01)
    assert sorted(set(mask.flatten().tolist())) == pytest.approx([0.0, 256 / 179])


def test_the_same_seed_draws_the_same_and_each_draw_is_another() -> None:
    first, again = Masks(1), Masks(1)
    drawn = first.draw(0.3, SHAPE)
    assert torch.equal(drawn, again.draw(0.3, SHAPE))
    assert not torch.equal(drawn, first.draw(0.3, SHAPE))
    assert not torch.equal(drawn, Masks(2).draw(0.3, SHAPE))


def test_nothing_is_dropped_at_rate_zero() -> None:
    assert torch.equal(Masks(1).draw(0.0, SHAPE), torch.ones(SHAPE))

"""Dropout by the byte drops as often as it says, keeps the mean, and does nothing when serving."""

import pytest
import torch

from triton_models.dropout import ByteDropout

ONES = torch.ones(7, 30_001)


@pytest.fixture
def dropout() -> ByteDropout:
    torch.manual_seed(1)
    return ByteDropout(0.3)


def test_it_drops_at_its_rate_and_keeps_the_mean(dropout: ByteDropout) -> None:
    kept = dropout(ONES)
    assert (kept == 0).float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert kept.mean().item() == pytest.approx(1.0, abs=0.01)
    assert kept.unique().tolist() == pytest.approx([0.0, 256 / 179])


def test_the_same_seed_drops_the_same() -> None:
    first, again, other = (_dropped(seed) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def _dropped(seed: int) -> torch.Tensor:
    torch.manual_seed(seed)
    return ByteDropout(0.3)(ONES)


def test_what_was_dropped_gets_no_gradient(dropout: ByteDropout) -> None:
    values = torch.ones(1_000, requires_grad=True)
    kept = dropout(values)
    kept.sum().backward()  # type: ignore[no-untyped-call]
    assert values.grad is not None
    assert torch.equal(values.grad, kept.detach())


def test_nothing_is_dropped_when_serving_or_at_rate_zero(dropout: ByteDropout) -> None:
    assert dropout.eval()(ONES) is ONES
    assert ByteDropout(0.0)(ONES) is ONES


def test_it_can_be_exported(dropout: ByteDropout) -> None:
    exported = torch.jit.script(dropout.eval())
    assert torch.equal(exported(ONES), ONES)

"""Losses of WaveFill: known values, and what learns from them."""

import torch

from temperfill.systems.wavefill import losses


def test_relative_reconstruction_weighs_parts_by_their_own_size() -> None:
    pred, target = torch.rand(2, 4, 3, 8, 6, dtype=torch.float64)
    mask = (torch.rand(4, 1, 8, 6, dtype=torch.float64) > 0.6).double()
    difference = (pred - target).abs()
    holes = mask.expand_as(pred) > 0
    expected = [6 * d[h].mean() + d[~h].mean() for d, h in zip(difference, holes, strict=True)]
    torch.testing.assert_close(losses.relative_reconstruction(pred, target, mask, 6.0), torch.stack(expected).mean())
    empty = losses.relative_reconstruction(pred, target, torch.zeros_like(mask), 6.0)
    torch.testing.assert_close(empty, difference.mean())
    torch.testing.assert_close(losses.relative_reconstruction(pred, target, torch.ones_like(mask), 6.0), 6 * empty)


def test_feature_matching_trains_the_fake_alone() -> None:
    fake, real = (torch.randn(2, 3, 4, 4, requires_grad=True) for _ in range(2))
    loss = losses.feature_matching([[fake, fake * 2], [fake]], [[real, real * 2], [real]])
    torch.testing.assert_close(loss, (fake - real).abs().mean() * 4 / 2)
    loss.backward()
    assert fake.grad is not None
    assert real.grad is None

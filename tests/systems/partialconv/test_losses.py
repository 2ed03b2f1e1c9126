"""Losses of partial convolutions: known values."""

import pytest
import torch

from temperfill.systems.partialconv import losses


def test_gram_matrix_is_that_of_the_channels() -> None:
    features = torch.randn(2, 3, 4, 5)
    expected = torch.einsum("bchw,bdhw->bcd", features, features) / (3 * 4 * 5)
    torch.testing.assert_close(losses.gram(features), expected)
    moved = features.roll((1, 2), (2, 3))
    assert losses.style([features], [moved]).item() == pytest.approx(0, abs=1e-6)  # where things are does not matter
    other = torch.randn(2, 3, 4, 5)
    torch.testing.assert_close(
        losses.style([features, other], [other, features]), 2 * (expected - losses.gram(other)).abs().mean()
    )


def test_total_variation_looks_at_the_hole_and_one_pixel_around_it() -> None:
    image, mask = torch.rand(1, 3, 7, 8), torch.zeros(1, 1, 7, 8)
    assert losses.total_variation(image, mask) == 0
    mask[..., 3, 4] = 1
    inside = image[..., 2:5, 3:6]
    sums = inside.diff(dim=2).abs().sum() + inside.diff(dim=3).abs().sum()
    torch.testing.assert_close(losses.total_variation(image, mask), sums / image.numel())
    everything = image.diff(dim=2).abs().sum() + image.diff(dim=3).abs().sum()
    torch.testing.assert_close(losses.total_variation(image, torch.ones_like(mask)), everything / image.numel())

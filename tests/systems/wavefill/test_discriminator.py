"""The discriminator of wavelet bands: shapes, spectral normalisation, what it sees."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from temperfill.systems.wavefill import BandDiscriminatorConfig
from temperfill.systems.wavefill.discriminator import WaveFillDiscriminator

TINY = BandDiscriminatorConfig(width=4)


def test_spectral_norm_is_one_after_some_steps() -> None:
    torch.manual_seed(0)
    discriminator = WaveFillDiscriminator(TINY).train()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(3)
        for _ in range(60):
            discriminator(torch.rand(1, 3, 72, 72), torch.zeros(1, 2, dtype=torch.long))
    discriminator.eval()
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert all(parametrize.is_parametrized(layer, "weight") for layer in layers)
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_band_discriminator_sees_both_levels_whole_and_in_part() -> None:
    torch.manual_seed(0)
    discriminator = WaveFillDiscriminator(TINY).eval()
    image, centres = torch.rand(3, 3, 96, 80), torch.tensor([[10, 20], [90, 70], [48, 40]])
    parts = discriminator(image, centres)
    assert [len(features) for features in parts] == [5] * 4
    assert all(features[-1].shape[:2] == (3, 1) for features in parts)
    assert [f.shape[1] for f in parts[0]] == [4, 8, 16, 32, 1]
    # The patch of an image depends on its own centre only, whole bands on none.
    moved = discriminator(image, centres.flip(0))
    for i, part in enumerate(parts):
        assert torch.equal(moved[i][-1], part[-1]) == (i % 2 == 0)
        torch.testing.assert_close(moved[i][-1][1:2], part[-1][1:2])
    # A constant added to the picture is in the low band, which nobody sees.
    for a, b in zip(discriminator(image * 0.5, centres), discriminator(image * 0.5 + 0.25, centres), strict=True):
        torch.testing.assert_close(a[-1], b[-1], atol=1e-3, rtol=1e-3)

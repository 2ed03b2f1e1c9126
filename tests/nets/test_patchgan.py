"""Discriminators of patches: shapes, spectral normalisation, what they see."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from temperfill.config import PatchDiscriminatorConfig
from temperfill.nets.patchgan import SNPatchGAN, WaveFillDiscriminator

TINY = PatchDiscriminatorConfig(width=4)


def normalised_to_one(discriminator: nn.Module) -> bool:
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert all(parametrize.is_parametrized(layer, "weight") for layer in layers)
    norms = [torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() for layer in layers]
    return all(norm == pytest.approx(1, abs=0.05) for norm in norms)


def test_sn_patchgan_has_the_published_layers() -> None:
    with torch.device("meta"):
        layers = [m for m in SNPatchGAN(PatchDiscriminatorConfig()).modules() if isinstance(m, nn.Conv2d)]
    assert [(m.in_channels, m.out_channels) for m in layers] == [
        (4, 64), (64, 128), (128, 256), (256, 256), (256, 256), (256, 256),
    ]  # fmt: skip
    assert all((m.kernel_size, m.stride, m.padding) == ((5, 5), (2, 2), (2, 2)) for m in layers)


@pytest.mark.parametrize(("size", "expected"), [((256, 128), (4, 2)), ((64, 72), (1, 2))])
def test_sn_patchgan_judges_patches(size: tuple[int, int], expected: tuple[int, int]) -> None:
    torch.manual_seed(0)
    discriminator = SNPatchGAN(TINY)
    image, mask = torch.rand(2, 3, *size), torch.zeros(2, 1, *size)
    judged = discriminator(image, mask)
    assert judged.shape == (2, 16, *expected)
    assert not torch.equal(discriminator.eval()(image, 1 - mask), discriminator(image, mask))


def test_spectral_norm_is_one_after_some_steps() -> None:
    torch.manual_seed(0)
    patch, bands = SNPatchGAN(TINY).train(), WaveFillDiscriminator(TINY).train()
    with torch.no_grad():
        for parameter in (*patch.parameters(), *bands.parameters()):
            parameter.mul_(3)
        for _ in range(60):
            patch(torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
            bands(torch.rand(1, 3, 72, 72), torch.zeros(1, 2, dtype=torch.long))
    assert normalised_to_one(patch.eval())
    assert normalised_to_one(bands.eval())


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

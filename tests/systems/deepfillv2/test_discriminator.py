"""SN-PatchGAN: shapes, spectral normalisation, patches."""

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrize

from temperfill.systems.deepfillv2 import PatchDiscriminatorConfig
from temperfill.systems.deepfillv2.discriminator import SNPatchGAN

TINY = PatchDiscriminatorConfig(width=4)


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
    discriminator = SNPatchGAN(TINY).train()
    with torch.no_grad():
        for parameter in discriminator.parameters():
            parameter.mul_(3)
        for _ in range(60):
            discriminator(torch.rand(1, 3, 64, 64), torch.zeros(1, 1, 64, 64))
    discriminator.eval()
    layers = [m for m in discriminator.modules() if isinstance(m, nn.Conv2d)]
    assert all(parametrize.is_parametrized(layer, "weight") for layer in layers)
    for layer in layers:
        assert torch.linalg.matrix_norm(layer.weight.detach().flatten(1), 2).item() == pytest.approx(1, abs=0.05)

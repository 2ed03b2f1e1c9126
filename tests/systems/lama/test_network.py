"""LaMa's generator: size, what it sees, and its Fourier unit against the formula."""

import pytest
import torch

from temperfill.systems.building import build
from temperfill.systems.lama import LamaConfig
from temperfill.systems.lama.network import FourierUnit, Lama
from temperfill.systems.table import UNTRAINED


def network() -> Lama:
    torch.manual_seed(0)
    found = build(LamaConfig(width=4, blocks=2)).eval()
    assert isinstance(found, Lama)
    return found


def test_parameters_are_those_of_the_released_network() -> None:
    with torch.device("meta"):
        count = sum(parameter.numel() for parameter in build(LamaConfig()).parameters())
    assert count == UNTRAINED["lama"].parameters


def test_the_content_of_the_hole_never_matters_and_everything_known_does() -> None:
    """Through the spectrum, every known pixel reaches every pixel of the hole."""
    generator = network()
    image, mask = torch.rand(1, 3, 48, 64), torch.zeros(1, 1, 48, 64)
    mask[..., 8:24, 8:24] = 1
    with torch.inference_mode():
        expected = generator(image, mask).refined
        other = torch.where(mask > 0, torch.nan, image)
        assert torch.equal(generator(other, mask).refined, expected)
        generator, image, mask = generator.double(), image.double(), mask.double()
        expected = generator(image, mask).refined
        image[..., 47, 63] = 1 - image[..., 47, 63]
        changed = (generator(image, mask).refined - expected).abs()
    assert changed[..., 8:24, 8:24].amax(1).min() > 0
    assert 0 <= expected.min() <= expected.max() <= 1


def test_fourier_unit_is_a_convolution_of_the_spectrum() -> None:
    torch.manual_seed(0)
    unit = FourierUnit(3).eval()
    x = torch.randn(2, 3, 6, 10)
    spectrum = torch.fft.fft2(x.double(), norm="ortho")[..., :6]
    planes = torch.stack([spectrum.real, spectrum.imag], 2).reshape(2, 6, 6, 6)
    weight = unit.convolution.weight.double()[:, :, 0, 0]
    mixed = torch.einsum("oc,bchw->bohw", weight, planes).relu() / (1 + unit.norm.eps) ** 0.5
    pairs = mixed.reshape(2, 3, 2, 6, 6)
    expected = torch.fft.irfft2(torch.complex(pairs[:, :, 0], pairs[:, :, 1]), s=(6, 10), norm="ortho")
    torch.testing.assert_close(unit(x).double(), expected, atol=1e-5, rtol=0)


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiples of 8 from 16 on, got \(20, 16\)"):
        network()(torch.rand(1, 3, 20, 16), torch.zeros(1, 1, 20, 16))

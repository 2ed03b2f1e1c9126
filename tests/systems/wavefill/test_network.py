"""WaveFill: the published size, FRAN, spectral normalisation, bands, no leak, one mask for each image."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from temperfill.systems.wavefill import WaveFillConfig
from temperfill.systems.wavefill.network import FRAN, Alignment, FRANResidual, GatedConv, WaveFill, positional_norm
from temperfill.systems.wavefill.self_attention import SelfAttention, attend
from temperfill.systems.wavefill.wavelet import haar


def build() -> WaveFill:
    """With factors of attention that are not zero, as after some training."""
    torch.manual_seed(0)
    network = WaveFill(WaveFillConfig(width=4)).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("factor"):
                parameter.fill_(0.5)
    return network


def pictures(height: int = 68, width: int = 72) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(1)
    image, mask = torch.rand(2, 3, height, width, generator=noise), torch.zeros(2, 1, height, width)
    mask[0, :, 5:40, 8:30], mask[1, :, 20:, 50:] = 1, 1
    return image, mask


def test_convolutions_of_features_are_spectrally_normalised() -> None:
    network = build()
    plain = {n for n, m in network.named_modules() if isinstance(m, nn.Conv2d) and not parametrize.is_parametrized(m)}
    outputs = {f"{branch}_output.{part}" for branch in ("low", "middle", "high") for part in ("features", "gates")}
    fran = {n for n in plain if n.rsplit(".", 1)[-1] in ("shared", "guide", "scale", "shift")}
    assert plain == outputs | fran
    for _ in range(30):
        network.train()(*pictures())
    for name in ("fuse.features", "body.4.first.gates", "high.beside.features"):
        weight = network.get_submodule(name).weight.detach().flatten(1)
        assert torch.linalg.matrix_norm(weight, 2).item() == pytest.approx(1, abs=0.05), name


def test_gated_convolution_with_instance_normalisation() -> None:
    layer, x = GatedConv(3, 5, stride=2), torch.randn(2, 3, 10, 12)
    y, gates = (torch.nn.functional.pad(x, [1] * 4) for _ in range(2))
    y, gates = (torch.nn.functional.instance_norm(part(z)) for part, z in ((layer.features, y), (layer.gates, gates)))
    torch.testing.assert_close(layer.eval()(x), torch.relu(y) * torch.sigmoid(gates), atol=1e-3, rtol=1e-2)
    assert layer(x).shape == (2, 5, 5, 6)
    assert layer.features.bias is None
    assert GatedConv(3, 5, 5, dilation=2, reflect=True)(x).shape == (2, 5, 10, 12)


def test_positional_norm_has_mean_zero_and_deviation_one_over_channels() -> None:
    x = positional_norm(torch.randn(2, 16, 5, 6, dtype=torch.bfloat16) * 3 + 7)
    assert x.dtype == torch.float32
    torch.testing.assert_close(x.mean(1), torch.zeros(2, 5, 6), atol=1e-5, rtol=0)
    torch.testing.assert_close(x.std(1), torch.ones(2, 5, 6), atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
def test_attention_is_a_softmax_over_pooled_positions(size: tuple[int, int]) -> None:
    q, k, v = torch.randn(2, 3, *size), torch.randn(2, 3, *size), torch.randn(2, 4, *size)
    keys, values = (torch.nn.functional.max_pool2d(x, 2).flatten(2) for x in (k, v))
    weights = torch.softmax(5 * q.flatten(2).transpose(1, 2) @ keys, -1)
    expected = (weights @ values.transpose(1, 2)).transpose(1, 2).reshape(2, 4, *size)
    torch.testing.assert_close(attend(q, k, v, 5.0), expected, atol=1e-5, rtol=1e-4)


def test_self_attention_starts_as_identity() -> None:
    layer, x = SelfAttention(16), torch.randn(2, 16, 6, 6)
    assert torch.equal(layer(x), x)
    nn.init.ones_(layer.factor)
    assert not torch.equal(layer(x), x)


@pytest.mark.parametrize(("rate", "size"), [(1, (8, 10)), (2, (8, 12))])
def test_fran_keeps_shapes_and_uses_both_maps(rate: int, size: tuple[int, int]) -> None:
    torch.manual_seed(0)
    layer, x, band = FRAN(16, 12, rate).eval(), torch.randn(2, 16, *size), torch.randn(2, 12, *size)
    y = layer(x, band)
    assert y.shape == x.shape
    assert not torch.allclose(layer(x, -band), y, atol=1e-3)
    assert Alignment(8, rate)(torch.randn(2, 8, *size), torch.randn(2, 8, *size)).shape == (2, 8, *size)
    nn.init.zeros_(layer.scale.weight), nn.init.zeros_(layer.scale.bias)  # type: ignore[arg-type]
    nn.init.zeros_(layer.shift.weight), nn.init.zeros_(layer.shift.bias)  # type: ignore[arg-type]
    torch.testing.assert_close(layer(x, band), positional_norm(x))
    assert FRANResidual(16, 8, 12, rate)(x, band).shape == (2, 8, *size)


def test_each_image_has_its_own_mask_and_no_hole_leaks() -> None:
    network = build()
    image, mask = pictures()
    with torch.no_grad():
        output = network(image, mask)
        singles = [network(image[i : i + 1], mask[i : i + 1]).refined for i in range(2)]
        other = network(torch.where(mask > 0, torch.rand_like(image), image), mask).refined
        negative = network(1 - image, mask).refined
    assert output.refined.shape == image.shape
    assert output.temperatures.shape == (2, 0)
    torch.testing.assert_close(torch.cat(singles), output.refined, atol=1e-3, rtol=1e-3)
    assert torch.equal(other, output.refined)
    assert (negative - output.refined).abs().max() > 1e-2


def test_coarse_image_is_the_low_band_of_the_refined() -> None:
    network = build().train()  # in training nothing is clamped
    with torch.no_grad():
        output = network(*pictures())
    low, high = haar(output.coarse)
    low, middle = haar(low)
    assert high.abs().max() < 1e-5
    assert middle.abs().max() < 1e-5
    torch.testing.assert_close(low, haar(haar(output.refined)[0])[0], atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("size", [(64, 72), (70, 72)])
def test_wrong_size_is_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="multiples of 4, at least 68"):
        build()(torch.rand(1, 3, *size), torch.zeros(1, 1, *size))

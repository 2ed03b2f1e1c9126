"""Gated convolutions: what they compute, their sizes, and that the signal survives depth."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from temperfill.nets import layers
from temperfill.nets.layers import GatedConv2d, UpGatedConv2d
from temperfill.systems.deepfillv2.network import Gated


def test_half_of_the_channels_gates_the_other() -> None:
    torch.manual_seed(0)
    layer = GatedConv2d(3, 5)
    x = torch.randn(2, 3, 7, 6)
    both = F.conv2d(x, layer.convolution.weight, layer.convolution.bias, padding=1)
    torch.testing.assert_close(layer(x), F.elu(both[:, :5]) * both[:, 5:].sigmoid())


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2, 16])
def test_sizes(kernel_size: int, stride: int, dilation: int) -> None:
    layer = GatedConv2d(3, 4, kernel_size, stride, dilation)
    for size in [(8, 12), (4, 4), (1, 1), (5, 7)]:
        expected = (2, 4, *(-(-side // stride) for side in size))
        assert layer(torch.randn(2, 3, *size)).shape == expected


@pytest.mark.parametrize("kind", [GatedConv2d, Gated])
@pytest.mark.parametrize("channels", [24, 36, 72])
@pytest.mark.parametrize("dilation", [2, 4])
def test_dilated_gradients_in_bfloat16_are_those_of_float32(
    kind: type[GatedConv2d], channels: int, dilation: int
) -> None:
    """With channels last in memory, oneDNN's gradients of the weights were NaN in part."""
    torch.manual_seed(0)
    layer = kind(channels, channels, dilation=dilation)
    x = torch.randn(2, channels, 32, 32).contiguous(memory_format=torch.channels_last)
    gradients = []
    for enabled in (False, True):
        layer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            layer(x).float().sum().backward()
        assert layer.convolution.weight.grad is not None
        gradients.append(layer.convolution.weight.grad.clone())
    exact, rounded = gradients
    assert (rounded - exact).abs().max() < 0.02 * exact.abs().max()


def test_padding_is_zero() -> None:
    """On a constant the border differs from the inside, and a larger frame of zeros changes nothing."""
    torch.manual_seed(0)
    layer = GatedConv2d(3, 4)
    x = torch.ones(1, 3, 6, 6)
    framed = layer(F.pad(x, (2, 2, 2, 2)))[:, :, 2:-2, 2:-2]
    torch.testing.assert_close(layer(x), framed)


def test_upsampling_doubles_every_cell_first() -> None:
    torch.manual_seed(0)
    layer = UpGatedConv2d(3, 4)
    plain = GatedConv2d(3, 4)
    plain.load_state_dict(layer.state_dict())
    x = torch.randn(2, 3, 5, 4)
    doubled = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert layer(x).shape == (2, 4, 10, 8)
    torch.testing.assert_close(layer(x), plain(doubled))
    with torch.inference_mode():
        torch.testing.assert_close(layer(x), plain(doubled))
    gradients = [
        torch.autograd.grad(net(z).sin().sum(), [*net.parameters()]) for net, z in ((layer, x), (plain, doubled))
    ]
    torch.testing.assert_close(*gradients)


def test_the_constants_are_the_mean_squares_under_a_normal_distribution() -> None:
    x = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-x.square() / 2) / math.sqrt(2 * math.pi)
    for function, constant in [(F.elu, layers._ELU_SQUARE), (torch.sigmoid, layers._SIGMOID_SQUARE)]:
        assert torch.trapezoid(function(x).square() * density, x).item() == pytest.approx(constant, abs=1e-4)


def deviation_after(depth: int, **options: float) -> float:
    """Standard deviation of the pre-activations of the last of so many layers. Wide maps: borders count for little."""
    torch.manual_seed(0)
    stack = nn.Sequential(*(GatedConv2d(32, 32, **options) for _ in range(depth)))  # type: ignore[arg-type]
    with torch.no_grad():
        first = torch.randn(2, 32, 48, 48) * math.sqrt(layers._ELU_SQUARE * layers._SIGMOID_SQUARE)
        return stack[-1].convolution(stack[:-1](first)).std().item()


@pytest.mark.parametrize("depth", [1, 5, 20])
def test_variance_is_preserved_through_depth(depth: int) -> None:
    assert 0.5 < deviation_after(depth) < 2


def test_without_the_gain_the_signal_dies() -> None:
    assert deviation_after(20, gain=1.0) < 1e-3


@pytest.mark.parametrize("layer", [GatedConv2d(5, 3, 5, stride=2), GatedConv2d(5, 3, dilation=2), UpGatedConv2d(5, 3)])
def test_without_gradients_the_result_is_the_same(layer: GatedConv2d) -> None:
    """Inference goes another way, which leaves its input alone."""
    x = torch.randn(2, 5, 12, 10)
    given = x.clone()
    with torch.no_grad():
        found = layer(x)
    torch.testing.assert_close(found, layer(x))
    assert torch.equal(x, given)

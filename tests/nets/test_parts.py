"""What pixels depend on, against what the gradient says."""

import pytest
import torch
from torch import nn

from temperfill.config import GeneratorConfig
from temperfill.nets.generator import Generator
from temperfill.nets.layers import GatedConv2d, UpGatedConv2d
from temperfill.nets.parts import crop, inputs_of, surround


def support(network: nn.Module, channels: int, length: int, pixel: int) -> tuple[int, int]:
    """First and last column of the input that moves one column of the output."""
    x = torch.rand(1, channels, 16, length, dtype=torch.float64, requires_grad=True)
    network.double()(x)[..., pixel].sum().backward()
    assert x.grad is not None
    moved = x.grad.abs().sum((0, 1, 2)).nonzero().flatten()
    return int(moved[0]), int(moved[-1])


@pytest.mark.parametrize(
    "layers",
    [
        [GatedConv2d(2, 3, 5)],
        [GatedConv2d(2, 3, stride=2), GatedConv2d(3, 3, dilation=4)],
        [GatedConv2d(2, 3, stride=2), UpGatedConv2d(3, 2), nn.Conv2d(2, 3, 3, padding=1), nn.Tanh()],
    ],
)
@pytest.mark.parametrize("pixel", [16, 17])
def test_reach_is_that_of_the_gradient(layers: list[nn.Module], pixel: int) -> None:
    network = nn.Sequential(*layers)
    expected = support(network, 2, 64, pixel)
    assert inputs_of(network, (pixel, pixel)) == expected


@pytest.mark.parametrize("pixel", [400, 401, 402, 403])
def test_reach_of_the_coarse_network(pixel: int) -> None:
    torch.manual_seed(0)
    coarse = Generator(GeneratorConfig(width=2, head_dim=2)).coarse
    assert inputs_of(coarse, (pixel, pixel)) == support(coarse, 4, 800, pixel)


def test_a_layer_of_unknown_reach_is_refused() -> None:
    with pytest.raises(TypeError, match="AdaptiveAvgPool2d"):
        inputs_of(nn.Sequential(nn.AdaptiveAvgPool2d(1)), (0, 0))


def test_parts_stay_on_the_stride_and_in_the_picture() -> None:
    part = surround((5, 30, 9, 40), lambda interval: (interval[0] - 7, interval[1] + 7), (40, 44), 4)
    assert part.around == (0, 20, 16, 44)
    assert part.cells(4) == (0, 5, 4, 11)
    x = torch.arange(40 * 44.0).view(1, 1, 40, 44)
    assert torch.equal(crop(crop(x, part.around), part.inner), crop(x, part.hole))

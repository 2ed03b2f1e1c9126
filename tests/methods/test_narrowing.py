"""A chain of layers that is computed for a box alone gives there what it gives as a whole."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.methods.narrowing import Layer, cut, narrow
from temperfill.nets.layers import GatedConv2d, UpGatedConv2d

CHAIN = [
    GatedConv2d(2, 3, 5),
    GatedConv2d(3, 4, stride=2),
    GatedConv2d(4, 4, stride=2),
    GatedConv2d(4, 4, dilation=4),
    UpGatedConv2d(4, 3),
    GatedConv2d(3, 3),
    UpGatedConv2d(3, 2),
    GatedConv2d(2, 2),
]
SIZE = (72, 88)


def layers() -> list[Layer]:
    convolutions = [(gated.convolution, isinstance(gated, UpGatedConv2d)) for gated in CHAIN]
    return [Layer(c.kernel_size[0], c.stride[0], c.dilation[0], int(up)) for c, up in convolutions]


def padded(x: Tensor, row: list[int]) -> Tensor:
    """As ONNX pads."""
    return F.pad(x, (row[3], row[7], row[2], row[6]))


def without_padding(gated: GatedConv2d, x: Tensor) -> Tensor:
    whole: nn.Conv2d = gated.convolution
    if isinstance(gated, UpGatedConv2d):  # sees two of the input, and one more on each side was given
        return gated(x)[..., 2:-2, 2:-2]
    features, gate = F.conv2d(x, whole.weight, whole.bias, whole.stride, 0, whole.dilation).chunk(2, 1)
    return F.elu(features) * gate.sigmoid()


@pytest.mark.parametrize("box", [(20, 30, 41, 51), (0, 0, 9, 5), (33, 64, 72, 88), (7, 0, 8, 88), (0, 0, *SIZE)])
def test_a_box_is_computed_as_in_the_whole(box: tuple[int, int, int, int]) -> None:
    torch.manual_seed(0)
    whole = torch.randn(1, 2, *SIZE, dtype=torch.float64)
    top, left, bottom, right = box
    with torch.no_grad():
        expected = nn.Sequential(*CHAIN).double()(whole)[..., top:bottom, left:right]
        narrowed = narrow(layers(), box, SIZE)
        x = whole[..., narrowed.box[0] : narrowed.box[2], narrowed.box[1] : narrowed.box[3]]
        for gated, row, needed in zip(CHAIN, narrowed.pads.tolist(), narrowed.needed, strict=True):
            x = padded(x, row)
            assert x.shape[2:] == (needed[2] - needed[0], needed[3] - needed[1])
            x = without_padding(gated, x)
    assert x.shape == expected.shape
    assert (x - expected).abs().max() < 1e-12


def test_little_is_computed_for_a_small_box() -> None:
    narrowed = narrow(layers(), (30, 40, 34, 44), SIZE)
    sizes = [(bottom - top) * (right - left) for top, left, bottom, right in narrowed.needed]
    assert sizes[-1] == 6 * 6
    assert sizes[-2] == 6 * 6  # of half the size, in pairs
    assert narrowed.box != (0, 0, *SIZE)


def test_one_box_is_made_of_another() -> None:
    x = torch.arange(30.0).reshape(1, 1, 5, 6)
    made = padded(x, cut((10, 20, 15, 26), (11, 18, 14, 24)).tolist()[0])
    assert made.shape[2:] == (3, 6)
    assert not made[..., :2].any()
    assert torch.equal(made[..., 2:], x[..., 1:4, :4])

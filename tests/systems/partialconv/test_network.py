"""Partial convolutions: the formula in a slow loop, any size, no leak, and frozen normalisation."""

import pytest
import torch
from torch import Tensor

from temperfill.systems.partialconv import PartialConvConfig
from temperfill.systems.partialconv.network import PartialConv2d, PartialConvUNet

TINY = PartialConvConfig(width=4)


def build(config: PartialConvConfig = TINY) -> PartialConvUNet:
    torch.manual_seed(0)
    return PartialConvUNet(config)


def pictures(height: int, width: int, batch: int = 2) -> tuple[Tensor, Tensor]:
    noise = torch.Generator().manual_seed(1)
    image = torch.rand(batch, 3, height, width, generator=noise)
    return image, (torch.rand(batch, 1, height, width, generator=noise) < 0.4).float()


def slow(layer: PartialConv2d, x: Tensor, masks: Tensor) -> tuple[Tensor, Tensor]:
    """Eqs. 1 and 2, position by position, with a mask for every channel."""
    weight, bias = layer.convolution.weight.double(), layer.bias
    size, stride = layer.convolution.kernel_size[0], layer.convolution.stride[0]
    pad = size // 2
    x, masks = (torch.nn.functional.pad(y.double(), [pad] * 4) for y in (x * masks, masks))
    rows, columns = ((side - size) // stride + 1 for side in x.shape[2:])
    result, known = torch.zeros(len(x), len(weight), rows, columns).double(), torch.zeros(len(x), 1, rows, columns)
    for b in range(len(x)):
        for i in range(rows):
            for j in range(columns):
                window = (b, slice(None), slice(i * stride, i * stride + size), slice(j * stride, j * stride + size))
                total = masks[window].sum()
                if total > 0:
                    scale = masks[window].numel() / total
                    result[b, :, i, j] = (weight * x[window]).sum((1, 2, 3)) * scale
                    result[b, :, i, j] += 0 if bias is None else bias.double()
                    known[b, 0, i, j] = 1
    return result, known


@pytest.mark.parametrize(("size", "stride", "bias"), [(3, 1, True), (3, 2, False), (5, 2, True), (7, 2, False)])
def test_partial_convolution_is_the_formula(size: int, stride: int, bias: bool) -> None:
    torch.manual_seed(0)
    layer = PartialConv2d(6, 3, size, stride, bias)
    if layer.bias is not None:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 6, 9, 12)
    # Two groups of channels with a mask each, as after a concatenation; a corner is known to neither.
    groups = (torch.rand(2, 2, 9, 12) < 0.5).float()
    groups[:, :, :4, :5] = 0
    masks = torch.cat([groups[:, :1].expand(-1, 4, -1, -1), groups[:, 1:].expand(-1, 2, -1, -1)], 1)
    expected, known = slow(layer, x, masks)
    result, valid = layer(x * masks, masks.mean(1, keepdim=True))
    torch.testing.assert_close(result.double(), expected, atol=1e-5, rtol=1e-4)
    assert torch.equal(valid, known)
    assert (known == 0).any()


def test_without_a_hole_it_is_a_convolution() -> None:
    layer = PartialConv2d(3, 4, 3, bias=True)
    x = torch.randn(1, 3, 8, 8)
    inner = layer(x, torch.ones(1, 1, 8, 8))[0][:, :, 1:-1, 1:-1]
    torch.testing.assert_close(inner, torch.nn.functional.conv2d(x, layer.convolution.weight, layer.bias))


def test_parameters_of_the_published_network() -> None:
    with torch.device("meta"):
        network = PartialConvUNet(PartialConvConfig())
    assert sum(p.numel() for p in network.parameters() if p.requires_grad) == pytest.approx(25.8e6, rel=0.01)
    widths = [layer.partial.convolution.out_channels for layer in (*network.encoder, *network.decoder)]  # type: ignore[union-attr]
    assert widths == [64, 128, 256, 512, 512, 512, 512, 512, 512, 512, 256, 128, 64, 3]


@pytest.mark.parametrize("size", [(1, 1), (2, 7), (33, 50), (64, 64)])
def test_any_size_and_any_hole(size: tuple[int, int]) -> None:
    network = build().eval()
    image, mask = pictures(*size, batch=3)
    mask[1], mask[2] = 0, 1
    with torch.no_grad():
        refined = network(image, mask).refined
    assert refined.shape == image.shape
    assert refined.isfinite().all()
    assert 0 <= refined.min() <= refined.max() <= 1


def test_content_of_the_hole_does_not_matter_and_the_rest_does() -> None:
    network = build().eval()
    image, mask = pictures(40, 52)
    other = torch.where(mask > 0, torch.rand_like(image), image)
    with torch.no_grad():
        before, after = network(image, mask), network(other, mask)
        assert torch.equal(before.refined, after.refined)
        assert not torch.equal(before.refined, network(1 - image, mask).refined)


def test_frozen_normalisation_of_the_encoder_stays() -> None:
    for frozen in (False, True):
        network = build(PartialConvConfig(width=4, freeze_encoder_norm=frozen)).train()
        before = {name: buffer.clone() for name, buffer in network.named_buffers()}
        network(*pictures(32, 32)).refined.sum().backward()
        moved = {name for name, buffer in network.named_buffers() if not torch.equal(buffer, before[name])}
        assert any(name.startswith("decoder") for name in moved)
        assert any(name.startswith("encoder") for name in moved) == (not frozen)
        gradients = [p.grad is not None for n, p in network.encoder.named_parameters() if ".norm." in n]
        assert set(gradients) == {not frozen}
        assert network.encoder[1].partial.convolution.weight.grad is not None  # type: ignore[union-attr]
        assert all(m.training for n, m in network.named_modules() if not (frozen and n.endswith("norm")))

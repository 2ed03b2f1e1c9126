"""Which part of a picture the pixels of a hole depend on, derived from the layers themselves."""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor, nn

from temperfill.geometry import Box
from temperfill.nets.layers import GatedConv2d, UpGatedConv2d

Interval = tuple[int, int]
"""First and last position along one axis, both inside."""


def inputs_of(layer: nn.Module, interval: Interval) -> Interval:
    """The inputs that a range of outputs depends on, which may reach beyond the picture.

    Args:
        layer: a convolution of this package, a sequence of layers, or a layer that acts on each position alone.
        interval: outputs along one axis.

    Raises:
        TypeError: a layer whose reach is not known.
    """
    if isinstance(layer, nn.Sequential):
        for part in reversed(layer):
            interval = inputs_of(part, interval)
        return interval
    if isinstance(layer, GatedConv2d):
        first, last = inputs_of(layer.convolution, interval)
        return (first // 2, last // 2) if isinstance(layer, UpGatedConv2d) else (first, last)
    if isinstance(layer, nn.Conv2d):
        (size, stride, padding, dilation) = (
            int(pair[0]) for pair in (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        )
        return interval[0] * stride - padding, interval[1] * stride - padding + dilation * (size - 1)
    if isinstance(layer, nn.Tanh):
        return interval
    raise TypeError(f"the reach of {type(layer).__name__} is not known")


class Part(NamedTuple):
    """A hole, and what must be computed to fill it; boxes in pixels of the picture unless said otherwise.

    Attributes:
        hole: where the result is wanted.
        around: what is cut out for it, at multiples of the stride.
    """

    hole: Box
    around: Box

    @property
    def inner(self) -> Box:
        """The hole within ``around``."""
        top, left = self.around[:2]
        return (self.hole[0] - top, self.hole[1] - left, self.hole[2] - top, self.hole[3] - left)

    def cells(self, stride: int) -> Box:
        """``around`` in cells of features that are ``stride`` pixels apart."""
        top, left, bottom, right = (side // stride for side in self.around)
        return (top, left, bottom, right)


def crop(x: Tensor, box: Box) -> Tensor:
    """The part of (B, C, H, W) in a box; a view."""
    top, left, bottom, right = box
    return x[:, :, top:bottom, left:right]


def surround(hole: Box, reach: Callable[[Interval], Interval], size: tuple[int, int], stride: int) -> Part:
    """The part of a picture on which a hole depends, at multiples of the stride.

    Args:
        hole: of the result.
        reach: a range of results to the range of inputs.
        size: height and width of the picture, multiples of the stride.
        stride: pixels between features.
    """
    (top, bottom), (left, right) = (reach((hole[axis], hole[axis + 2] - 1)) for axis in range(2))
    starts = [max(low // stride * stride, 0) for low in (top, left)]
    stops = [min(-(-(high + 1) // stride) * stride, side) for high, side in zip((bottom, right), size, strict=True)]
    return Part(hole, (starts[0], starts[1], stops[0], stops[1]))

"""Gated convolution (Yu et al. 2019, paper reference 19), the layer that the generator is made of."""

import math
from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.tensors import is_plain_inference

# Mean square of ELU(x) and of sigmoid(x) for x ~ N(0, 1): a gated layer passes on their product, so that dividing by it
# keeps the variance of the pre-activations at 1 through any depth. With Glorot's gain the signal would lose a factor of
# about two per layer, and the network has twenty of them.
_ELU_SQUARE = 0.6449
_SIGMOID_SQUARE = 0.2934
_GAIN = 1 / math.sqrt(_ELU_SQUARE * _SIGMOID_SQUARE)
_CHANNELS = 16
"""A dilated convolution that is trained in bfloat16 on a CPU reads a multiple of so many channels."""


class GatedConv2d(nn.Module):
    """One convolution yields 2n channels: ELU of the first n times the sigmoid of the other n. Zero padding.

    Args:
        in_channels: channels of the input.
        out_channels: n, channels after gating.
        kernel_size: odd side of the kernel.
        stride: of the convolution.
        dilation: of the convolution.
        gain: standard deviation of the initial weights times sqrt(fan_in).
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        gain: float = _GAIN,
    ) -> None:
        super().__init__()
        padding = dilation * (kernel_size - 1) // 2
        self.width = out_channels
        self.convolution = nn.Conv2d(in_channels, 2 * out_channels, kernel_size, stride, padding, dilation)
        nn.init.normal_(self.convolution.weight, std=gain / math.sqrt(in_channels * kernel_size**2))
        nn.init.zeros_(self.convolution.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        if x.device.type != "cpu" or not is_plain_inference():
            features, gate = self._convolve(x).chunk(2, 1)
            return F.elu(features) * torch.sigmoid(gate)
        # On a CPU, halves of one result are strided, which keeps the activations from being vectorised: they took more
        # than half of the time of a forward pass. Two results can also be overwritten in place.
        features, gate = (self._convolve(x, half) for half in (slice(None, self.width), slice(self.width, None)))
        return F.elu_(features).mul_(gate.sigmoid_())

    def _convolve(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        """The convolution's outputs before the activations, or some of them."""
        whole = self.convolution
        assert whole.bias is not None
        weight, bias = whole.weight[channels], whole.bias[channels]
        missing = -x.shape[1] % _CHANNELS
        if missing and whole.dilation != (1, 1) and torch.is_grad_enabled() and torch.is_autocast_enabled("cpu"):
            # oneDNN's weight gradients in bfloat16 read memory beyond such channels (PyTorch 2.13), often NaN.
            x, weight = (F.pad(part, (0, 0, 0, 0, 0, missing)) for part in (x, weight))
        return F.conv2d(x, weight, bias, whole.stride, whole.padding, whole.dilation)


class UpGatedConv2d(GatedConv2d):
    """Nearest x2 upsampling followed by a 3x3 gated convolution, which leaves no checkerboard.

    Every output sees 2x2 inputs, some of them through more than one weight. So the weights are added first, and one 2x2
    convolution gives the four outputs of every input as channels: 16 products instead of 36.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, 2H, 2W)."""
        height, width = x.shape[2:]
        gated = super().forward(x).unflatten(1, (2, 2, self.width)).permute(1, 2, 0, 4, 5, 3)
        # What an upper or left output sees begins one input before that of a lower or right one.
        parts = [
            [gated[right, down, :, down : down + height, right : right + width] for right in range(2)]
            for down in range(2)
        ]
        if not is_plain_inference():
            columns = torch.stack([torch.stack(row, 3) for row in parts], 2)
            return columns.flatten(1, 2).flatten(2, 3).permute(0, 3, 1, 2)
        # The same in one pass over memory.
        result = gated.new_empty(len(x), 2 * height, 2 * width, self.width)
        for down, right in product(range(2), range(2)):
            result[:, down::2, right::2] = parts[down][right]
        return result.permute(0, 3, 1, 2)

    def _convolve(self, x: Tensor, channels: slice = slice(None)) -> Tensor:
        """(B, 4 * channels, H + 1, W + 1): halves of the gate, then right, down, then channels."""
        whole = self.convolution
        assert whole.bias is not None
        weight = _add_taps(_add_taps(whole.weight[channels], 2), 4)  # (right, down, channels, in_channels, 2, 2)
        bias = whole.bias[channels].expand(2, 2, -1)
        weight, bias = (w.unflatten(2, (-1, self.width)).movedim(2, 0).flatten(0, 3) for w in (weight, bias))
        return F.conv2d(x, weight, bias, padding=1)


def _add_taps(weight: Tensor, axis: int) -> Tensor:
    """Weights of three doubled inputs to those of the two inputs that they come from, for the first and second output.

    Args:
        weight: with 3 elements along the axis.
        axis: of the kernel.

    Returns:
        One more axis before the others, of the two outputs; 2 elements along the given one.
    """
    a, b, c = weight.unbind(axis)
    return torch.stack([torch.stack([a, b + c], axis), torch.stack([a + b, c], axis)])


def double(x: Tensor) -> Tensor:
    """Nearest x2 upsampling, (B, C, H, W) to (B, C, 2H, 2W), channels last in memory.

    By expansion rather than F.interpolate: torch.compile turns the gradient of that into atomic additions, which took a
    tenth of a training step on CPU and whose order is not fixed.
    """
    batch, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(batch, height, 2, width, 2, channels)
    return x.reshape(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


class Widths:
    """The channels of the gated convolutions of a network in the order in which they are built.

    Args:
        given: channels of each; empty leaves every one as the architecture has it.
    """

    def __init__(self, given: tuple[int, ...]) -> None:
        self.given = given
        self.taken = 0

    def take(self, usual: int) -> int:
        """The channels of the next one, which has ``usual`` where none are given.

        Raises:
            ValueError: more are asked for than are given.
        """
        self.taken += 1
        if self.given and self.taken > len(self.given):
            raise ValueError(f"widths must name every gated convolution of the network, got only {len(self.given)}")
        return self.given[self.taken - 1] if self.given else usual

    def check_all_taken(self) -> None:
        """Raises ValueError if more are given than the network has."""
        if self.given and self.taken < len(self.given):
            raise ValueError(f"widths must name {self.taken} gated convolutions, got {len(self.given)}")


def encoder(in_channels: int, w: int, widths: Widths) -> list[nn.Module]:
    """The table through the dilated block, shared by the coarse network and the convolution branch."""
    table: list[tuple[int, dict[str, Any]]] = [
        (w, {"kernel_size": 5, "gain": 1.0}),
        (2 * w, {"stride": 2}),
        (2 * w, {}),
        (4 * w, {"stride": 2}),
        (4 * w, {}),
        (4 * w, {}),
        *((4 * w, {"dilation": rate}) for rate in (2, 4, 8, 16)),
    ]
    return gated_chain(in_channels, table, widths)


def gated_chain(in_channels: int, table: list[tuple[int, dict[str, Any]]], widths: Widths) -> list[nn.Module]:
    """Gated convolutions, each on the result of the one before.

    Args:
        in_channels: of the first.
        table: usual channels of each after gating, and its other options; ``up`` doubles the size before it.
        widths: the channels that they have.
    """
    layers: list[nn.Module] = []
    for usual, options in table:
        channels = widths.take(usual)
        rest = {name: value for name, value in options.items() if name != "up"}
        kind = UpGatedConv2d if options.get("up") else GatedConv2d
        layers.append(kind(in_channels, channels, **rest))
        in_channels = channels
    return layers


def last_width(layers: list[nn.Module] | nn.Sequential) -> int:
    """Channels after the last of gated convolutions."""
    last = layers[-1]
    assert isinstance(last, GatedConv2d)
    return last.width


def plain_output(in_channels: int, out_channels: int) -> nn.Conv2d:
    """The last 3x3 convolution, with small weights so that training starts from a grey image."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    nn.init.normal_(convolution.weight, std=0.02)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution

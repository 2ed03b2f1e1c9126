"""Gated convolution (Yu et al. 2019, paper reference 19), the layer that the generator is made of."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Mean square of ELU(x) and of sigmoid(x) for x ~ N(0, 1): a gated layer passes on their product, so that dividing by it
# keeps the variance of the pre-activations at 1 through any depth. With Glorot's gain the signal would lose a factor of
# about two per layer, and the network has twenty of them.
_ELU_SQUARE = 0.6449
_SIGMOID_SQUARE = 0.2934
_GAIN = 1 / math.sqrt(_ELU_SQUARE * _SIGMOID_SQUARE)


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
        if torch.is_grad_enabled() or x.device.type != "cpu" or torch.compiler.is_compiling():
            features, gate = self.convolution(x).chunk(2, 1)
            return F.elu(features) * torch.sigmoid(gate)
        # On a CPU, halves of one result are strided, which keeps the activations from being vectorised: they took more
        # than half of the time of a forward pass. Two results can also be overwritten in place.
        features, gate = (self._half(x, half) for half in (slice(None, self.width), slice(self.width, None)))
        return F.elu_(features).mul_(gate.sigmoid_())

    def _half(self, x: Tensor, half: slice) -> Tensor:
        whole = self.convolution
        assert whole.bias is not None
        return F.conv2d(x, whole.weight[half], whole.bias[half], whole.stride, whole.padding, whole.dilation)


class UpGatedConv2d(GatedConv2d):
    """Nearest x2 upsampling followed by a 3x3 gated convolution, which leaves no checkerboard."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, 2H, 2W)."""
        return super().forward(double(x))


def double(x: Tensor) -> Tensor:
    """Nearest x2 upsampling, (B, C, H, W) to (B, C, 2H, 2W), channels last in memory.

    By expansion rather than F.interpolate: torch.compile turns the gradient of that into atomic additions, which took a
    tenth of a training step on CPU and whose order is not fixed.
    """
    batch, channels, height, width = x.shape
    x = x.permute(0, 2, 3, 1)[:, :, None, :, None].expand(batch, height, 2, width, 2, channels)
    return x.reshape(batch, 2 * height, 2 * width, channels).permute(0, 3, 1, 2)


def encoder(in_channels: int, w: int) -> list[nn.Module]:
    """The table through the dilated block, shared by the coarse network and the convolution branch."""
    return [
        GatedConv2d(in_channels, w, 5, gain=1.0),
        GatedConv2d(w, 2 * w, stride=2),
        GatedConv2d(2 * w, 2 * w),
        GatedConv2d(2 * w, 4 * w, stride=2),
        GatedConv2d(4 * w, 4 * w),
        GatedConv2d(4 * w, 4 * w),
        *(GatedConv2d(4 * w, 4 * w, dilation=rate) for rate in (2, 4, 8, 16)),
    ]


def plain_output(in_channels: int, out_channels: int) -> nn.Conv2d:
    """The last 3x3 convolution, with small weights so that training starts from a grey image."""
    convolution = nn.Conv2d(in_channels, out_channels, 3, padding=1)
    nn.init.normal_(convolution.weight, std=0.02)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return convolution

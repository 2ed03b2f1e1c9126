"""The generator of DeepFillv2 (Yu et al. 2019, arXiv 1806.03589), and of ATMA, which changes its attention.

Layers are those of the published network; widths are channels after gating, w at full resolution.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import ContextualAttention, Tempered
from temperfill.attention.patches import reduce_mask
from temperfill.geometry import SizeRule
from temperfill.nets.layers import GatedConv2d, double
from temperfill.nets.network import GeneratorOutput, Network
from temperfill.systems.deepfillv2 import DeepFillV2Config
from temperfill.tensors import as_plane, composite

STRIDE = 4


class Gated(GatedConv2d):
    """A gated convolution as DeepFillv2 starts and uses it: Glorot's uniform weights, zero padding.

    Args:
        in_channels: channels of the input.
        out_channels: channels after gating.
        kernel_size: odd side of the kernel.
        stride: of the convolution.
        dilation: of the convolution.
        up: double the input first, by nearest neighbour.
        relu: ReLU instead of ELU.
        normalised: batch normalisation after gating.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        *,
        up: bool = False,
        relu: bool = False,
        normalised: bool = False,
    ) -> None:
        super().__init__(in_channels, out_channels, kernel_size, stride, dilation)
        nn.init.xavier_uniform_(self.convolution.weight)
        self.up = up
        self.relu = relu
        self.below = False
        self.norm = nn.BatchNorm2d(out_channels) if normalised else nn.Identity()

    def pad_below(self) -> None:
        """Pads as TensorFlow does where sides are even: one row below and one column to the right, if it halves."""
        if self.convolution.stride == (2, 2):
            self.below, self.convolution.padding = True, (0, 0)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H / stride, W / stride), or twice the size with ``up``."""
        x = double(x) if self.up else x
        features, gate = self._convolve(F.pad(x, (0, 1, 0, 1)) if self.below else x).chunk(2, 1)
        return self.norm((F.relu(features) if self.relu else F.elu(features)) * torch.sigmoid(gate))


def _output(in_channels: int) -> list[nn.Module]:
    """The last convolution, without gates, and tanh."""
    convolution = nn.Conv2d(in_channels, 3, 3, padding=1)
    nn.init.xavier_uniform_(convolution.weight)
    nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return [convolution, nn.Tanh()]


def _dilated(w: int, n: bool) -> list[nn.Module]:
    return [Gated(4 * w, 4 * w, dilation=rate, normalised=n) for rate in (2, 4, 8, 16)]


def _decoder(in_channels: int, w: int, n: bool) -> nn.Sequential:
    """Features at a quarter of the size to an image in [-1, 1]."""
    return nn.Sequential(
        Gated(in_channels, 4 * w, normalised=n),
        Gated(4 * w, 4 * w, normalised=n),
        Gated(4 * w, 2 * w, up=True, normalised=n),
        Gated(2 * w, 2 * w, normalised=n),
        Gated(2 * w, w, up=True, normalised=n),
        Gated(w, w // 2, normalised=n),
        *_output(w // 2),
    )


class Refinement(nn.Module):
    """Two branches, one of dilated convolutions and one with attention, and a decoder of both."""

    def __init__(self, w: int, attention: Tempered, n: bool) -> None:
        super().__init__()
        self.convolution_branch = nn.Sequential(
            Gated(3, w, 5, normalised=n),
            Gated(w, w, stride=2, normalised=n),
            Gated(w, 2 * w, normalised=n),
            Gated(2 * w, 2 * w, stride=2, normalised=n),
            Gated(2 * w, 4 * w, normalised=n),
            Gated(4 * w, 4 * w, normalised=n),
            *_dilated(w, n),
        )
        self.before = nn.Sequential(
            Gated(3, w, 5, normalised=n),
            Gated(w, w, stride=2, normalised=n),
            Gated(w, 2 * w, normalised=n),
            Gated(2 * w, 4 * w, stride=2, normalised=n),
            Gated(4 * w, 4 * w, normalised=n),
            Gated(4 * w, 4 * w, relu=True, normalised=n),
        )
        self.attention = attention
        self.after = nn.Sequential(Gated(4 * w, 4 * w, normalised=n), Gated(4 * w, 4 * w, normalised=n))
        self.decoder = _decoder(8 * w, w, n)

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Pasted image (B, 3, H, W) in [-1, 1] and mask (B, 1, h, w) to a refined image and temperatures (B, heads)."""
        features = self.before(x)
        temperatures = self.attention.temperatures(features)
        attended = self.after(self.attention(features, mask, temperatures))
        return self.decoder(torch.cat([self.convolution_branch(x), attended], 1)), temperatures


class DeepFillV2(Network):
    """Image and mask to a coarse and a refined image.

    The coarse network sees the masked image, ones and the mask; the refinement the coarse image pasted into the hole,
    and nothing else.

    Args:
        config: width.
        attention: of the refinement; None for contextual attention.
        normalised: batch normalisation after every gated convolution.
    """

    SIZE_RULE = SizeRule(multiple=STRIDE, minimum=STRIDE)
    config: DeepFillV2Config

    def __init__(self, config: DeepFillV2Config, attention: Tempered | None = None, normalised: bool = False) -> None:
        super().__init__()
        self.config = config
        w, n = config.width, normalised
        self.coarse = nn.Sequential(
            Gated(5, w, 5, normalised=n),
            Gated(w, 2 * w, stride=2, normalised=n),
            Gated(2 * w, 2 * w, normalised=n),
            Gated(2 * w, 4 * w, stride=2, normalised=n),
            Gated(4 * w, 4 * w, normalised=n),
            Gated(4 * w, 4 * w, normalised=n),
            *_dilated(w, n),
            *_decoder(4 * w, w, n),
        )
        self.refinement = Refinement(w, ContextualAttention(config.tensorflow) if attention is None else attention, n)
        for layer in self.modules():
            if config.tensorflow and isinstance(layer, Gated):
                layer.pad_below()

    def forward(self, image: Tensor, mask: Tensor) -> GeneratorOutput:
        """Completes images.

        Args:
            image: (B, 3, H, W) in [0, 1]; H and W multiples of 4.
            mask: (B, 1, H, W) or (B, H, W), 1 or True = missing.

        Raises:
            ValueError: a size that is no multiple of 4.
        """
        height, width = image.shape[2:]
        if height % STRIDE or width % STRIDE:
            raise ValueError(f"height and width must be multiples of {STRIDE}, got {(height, width)}; pad first")
        mask = as_plane(mask, image.dtype)
        known = torch.where(mask > 0.5, 0, image * 2 - 1)
        coarse = self.coarse(torch.cat([known, torch.ones_like(mask), mask], 1))
        small_mask = reduce_mask(mask, (height // STRIDE, width // STRIDE))
        refined, temperatures = self.refinement(composite(coarse, known, mask), small_mask)
        coarse, refined = ((x.to(image.dtype) + 1) / 2 for x in (coarse, refined))
        return GeneratorOutput(coarse, refined, temperatures)

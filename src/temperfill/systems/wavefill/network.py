"""The generator of WaveFill (Yu et al. 2021, arXiv 2107.11027): each wavelet band is completed by its own branch.

The low band comes first; the features of the high ones are aligned with it by frequency-region attentive normalisation
(FRAN). Widths are channels, w at full resolution.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from temperfill.geometry import SizeRule
from temperfill.nets.layers import double
from temperfill.nets.network import GeneratorOutput, Network
from temperfill.systems.wavefill import MINIMUM, WaveFillConfig
from temperfill.systems.wavefill.self_attention import SelfAttention, attend
from temperfill.systems.wavefill.wavelet import haar, unhaar
from temperfill.tensors import as_plane

STRIDE = 4
DILATIONS = (1, 1, 1, 2, 4, 8, 16, 1, 1)
ALIGNMENT_SCALE = 5.0
"""Inverse temperature of FRAN's attention, a constant."""


class GatedConv(nn.Module):
    """Two convolutions, one for features and one for their gates.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the result.
        kernel_size: side of the kernels.
        stride: of the convolutions.
        dilation: of the convolutions.
        reflect: padding by reflection instead of zeros.
        spectral: spectral normalisation of both.
        instance: instance normalisation of both results, which makes biases meaningless.
        relu: ReLU on the features.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int = 3,
        stride: int = 1,
        dilation: int = 1,
        *,
        reflect: bool = False,
        spectral: bool = True,
        instance: bool = True,
        relu: bool = True,
    ) -> None:
        super().__init__()
        self.padding = dilation * (kernel_size // 2)
        self.reflect = reflect
        self.instance = instance
        self.relu = relu
        bias = not instance and kernel_size > 1

        def convolution() -> nn.Module:
            layer = nn.Conv2d(in_channels, out_channels, kernel_size, stride, 0, dilation, bias=bias)
            nn.init.kaiming_normal_(layer.weight)
            return spectral_norm(layer) if spectral else layer

        self.features, self.gates = convolution(), convolution()

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        x = F.pad(x, [self.padding] * 4, mode="reflect" if self.reflect else "constant")
        features, gates = self.features(x), self.gates(x)
        if self.instance:
            features, gates = F.instance_norm(features), F.instance_norm(gates)
        return (F.relu(features) if self.relu else features) * torch.sigmoid(gates)


class GatedResidual(nn.Module):
    """Adds two gated convolutions with reflection padding, the first of them dilated."""

    def __init__(self, channels: int, dilation: int = 1) -> None:
        super().__init__()
        self.first = GatedConv(channels, channels, dilation=dilation, reflect=True)
        self.second = GatedConv(channels, channels, reflect=True, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, h, w)."""
        return x + self.second(self.first(x))


def positional_norm(x: Tensor) -> Tensor:
    """Each position of (B, C, h, w) to mean 0 and standard deviation 1 over its channels, in float32."""
    x = x.float()
    return (x - x.mean(1, keepdim=True)) * torch.rsqrt(x.var(1, keepdim=True) + 1e-5)


class Alignment(nn.Module):
    """Attention whose weights come from one map and whose values come from another (FRAN, first part).

    Args:
        channels: of both maps.
        rate: matching happens at a size reduced by it.
    """

    def __init__(self, channels: int, rate: int) -> None:
        super().__init__()
        inner = max(channels // 2, 1)
        self.reduce_known = spectral_norm(nn.Conv2d(channels, channels, rate, rate))
        self.reduce_guide = spectral_norm(nn.Conv2d(channels, channels, rate, rate))
        self.queries, self.keys, self.values, self.output = (
            spectral_norm(nn.Conv2d(a, b, 1, bias=False))
            for a, b in ((channels, inner), (channels, inner), (channels, inner), (inner, channels))
        )
        self.enlarge = spectral_norm(nn.ConvTranspose2d(channels, channels, rate, rate))
        self.factor = nn.Parameter(torch.zeros(()))

    def forward(self, known: Tensor, guide: Tensor) -> Tensor:
        """Features (B, C, h, w) that are complete, and those of the band to align with them, to (B, C, h, w)."""
        reduced, values = self.reduce_known(known), self.values(self.reduce_guide(guide))
        found = attend(self.queries(reduced), self.keys(reduced), values, ALIGNMENT_SCALE)
        return self.enlarge(self.output(found)) + self.factor * guide


class FRAN(nn.Module):
    """Frequency-region attentive normalisation.

    Features are normalised at each position, then scaled and shifted by what attention gathers of a band.

    Args:
        channels: of the features.
        guide_channels: of the band.
        rate: of the attention.
    """

    def __init__(self, channels: int, guide_channels: int, rate: int) -> None:
        super().__init__()
        hidden = channels // 4
        self.shared = nn.Conv2d(channels, hidden, 3, padding=1)
        self.guide = nn.Conv2d(guide_channels, hidden, 3, padding=1)
        self.alignment = Alignment(hidden, rate)
        self.scale = nn.Conv2d(hidden, channels, 3, padding=1)
        self.shift = nn.Conv2d(hidden, channels, 3, padding=1)

    def forward(self, x: Tensor, band: Tensor) -> Tensor:
        """Features (B, C, h, w) and band (B, guide_channels, h, w) to (B, C, h, w)."""
        gathered = positional_norm(self.alignment(F.relu(self.shared(x)), F.relu(self.guide(band))))
        return positional_norm(x) * (1 + self.scale(gathered)) + self.shift(gathered)


class FRANResidual(nn.Module):
    """A residual block of two gated convolutions, each after FRAN, with a third one beside them."""

    def __init__(self, in_channels: int, out_channels: int, guide_channels: int, rate: int) -> None:
        super().__init__()
        self.norms = nn.ModuleList(FRAN(c, guide_channels, rate) for c in (in_channels, out_channels, in_channels))
        self.first = GatedConv(in_channels, out_channels, instance=False, relu=False)
        self.second = GatedConv(out_channels, out_channels, instance=False, relu=False)
        self.beside = GatedConv(in_channels, out_channels, 1, instance=False, relu=False)

    def forward(self, x: Tensor, band: Tensor) -> Tensor:
        """Features (B, in_channels, h, w) and band to (B, out_channels, h, w)."""
        y = self.first(F.leaky_relu(self.norms[0](x, band), 0.2))
        y = self.second(F.leaky_relu(self.norms[1](y, band), 0.2))
        return y + self.beside(self.norms[2](x, band))


def _to_bands(channels: int, bands: int) -> GatedConv:
    """The last layer of a branch, without any normalisation."""
    return GatedConv(channels, bands, spectral=False, instance=False, relu=False)


class WaveFill(Network):
    """Image and mask to an image, and to one of its low band alone.

    Args:
        config: width.
    """

    SIZE_RULE = SizeRule(multiple=STRIDE, minimum=MINIMUM)
    config: WaveFillConfig

    def __init__(self, config: WaveFillConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        self.low_encoder = GatedConv(4, 4 * w)
        self.encoder = nn.Sequential(
            GatedConv(4, w, 5, reflect=True), GatedConv(w, 2 * w, stride=2), GatedConv(2 * w, 4 * w, stride=2)
        )
        self.fuse = GatedConv(8 * w, 4 * w)
        self.body = nn.Sequential(*(GatedResidual(4 * w, dilation) for dilation in DILATIONS), SelfAttention(4 * w))
        self.low_residual, self.low_output = GatedResidual(4 * w), _to_bands(4 * w, 3)
        self.middle = FRANResidual(8 * w, 4 * w, 12, rate=1)
        self.middle_residual, self.middle_output = GatedResidual(4 * w), _to_bands(4 * w, 9)
        self.high = FRANResidual(12 * w, 2 * w, 12, rate=2)
        self.high_residual, self.high_output = GatedResidual(2 * w), _to_bands(2 * w, 9)

    def forward(self, image: Tensor, mask: Tensor) -> GeneratorOutput:
        """Completes images.

        Args:
            image: (B, 3, H, W) in [0, 1]; H and W multiples of 4, at least 68.
            mask: (B, 1, H, W) or (B, H, W), 1 or True = missing.

        Returns:
            As coarse the image of the low band alone, as refined that of all bands, and no temperatures; in training
            mode both may leave [0, 1].

        Raises:
            ValueError: a size that is no multiple of 4 or below 68.
        """
        height, width = image.shape[2:]
        if height % STRIDE or width % STRIDE or min(height, width) < MINIMUM:
            raise ValueError(
                f"height and width must be multiples of {STRIDE}, at least {MINIMUM}, got {(height, width)}; pad first"
            )
        mask = as_plane(mask, image.dtype)
        x = torch.cat([torch.where(mask > 0.5, 0, image * 2 - 1), mask], 1)
        half, high_band = haar(x)
        low_band, middle_band = haar(half)
        body = self.body(self.fuse(torch.cat([self.low_encoder(low_band), self.encoder(x)], 1)))
        low_features = self.low_residual(body)
        middle = self.middle(torch.cat([body, low_features], 1), middle_band)
        middle_features = self.middle_residual(middle)
        stacked = double(torch.cat([middle, low_features, middle_features], 1))
        high_features = self.high_residual(self.high(stacked, high_band))
        low, middle, high = (
            output(features).to(image.dtype)
            for output, features in (
                (self.low_output, low_features),
                (self.middle_output, middle_features),
                (self.high_output, high_features),
            )
        )
        images = [
            unhaar(unhaar(low, m), h) for m, h in ((torch.zeros_like(middle), torch.zeros_like(high)), (middle, high))
        ]
        coarse, refined = ((y + 1) / 2 if self.training else ((y + 1) / 2).clamp(0, 1) for y in images)
        return GeneratorOutput(coarse, refined, image.new_zeros(len(image), 0))

"""LaMa's generator (Suvorov et al. 2022, arXiv 2109.07161): residual blocks of fast Fourier convolutions.

Features are in two parts, one seen locally and one through the Fourier transform of the whole map (Chi et al., Fast
Fourier Convolution, 2020); three quarters of the channels are of the latter. Layers are those of the released network.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.geometry import SizeRule
from temperfill.nets.network import GeneratorOutput, Network
from temperfill.systems.lama import LamaConfig
from temperfill.tensors import as_plane

STEPS = 3
"""Halvings of the size."""


def _convolution(in_channels: int, out_channels: int, size: int, stride: int = 1) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, size, stride, size // 2, bias=False, padding_mode="reflect")


class FourierUnit(nn.Module):
    """A convolution of 1 x 1 over the spectrum of a map, real and imaginary parts as channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(2 * channels, 2 * channels, 1, bias=False)
        self.norm = nn.BatchNorm2d(2 * channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        with torch.autocast(x.device.type, enabled=False):  # transforms know no half precision on a CPU
            exact = torch.promote_types(x.dtype, torch.float32)
            spectrum = torch.view_as_real(torch.fft.rfft2(x.to(exact), norm="ortho"))  # (B, C, h, w // 2 + 1, 2)
            planes = spectrum.movedim(-1, 2).flatten(1, 2).to(x)
            planes = F.relu(self.norm(self.convolution(planes))).to(exact)
            spectrum = planes.unflatten(1, (-1, 2)).movedim(2, -1).contiguous()
            return torch.fft.irfft2(torch.view_as_complex(spectrum), s=x.shape[-2:], norm="ortho").to(x)


class SpectralTransform(nn.Module):
    """The part of features that is seen globally: a Fourier unit between two convolutions of 1 x 1."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.reduce = nn.Conv2d(channels, channels // 2, 1, bias=False)
        self.norm = nn.BatchNorm2d(channels // 2)
        self.fourier = FourierUnit(channels // 2)
        self.expand = nn.Conv2d(channels // 2, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to the same shape."""
        x = F.relu(self.norm(self.reduce(x)))
        return self.expand(x + self.fourier(x))


class LocalLayer(nn.Module):
    """Convolution, batch normalisation and ReLU of features that are all local."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.local_to_local = _convolution(in_channels, out_channels, size, stride)
        self.norm_local = nn.BatchNorm2d(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(B, in_channels, H, W) to (B, out_channels, H / stride, W / stride)."""
        return F.relu(self.norm_local(self.local_to_local(x)))


class SplitLayer(nn.Module):
    """The last halving: from local features to both parts."""

    def __init__(self, in_channels: int, local: int, globally: int) -> None:
        super().__init__()
        self.local_to_local = _convolution(in_channels, local, 3, 2)
        self.norm_local = nn.BatchNorm2d(local)
        self.local_to_global = _convolution(in_channels, globally, 3, 2)
        self.norm_global = nn.BatchNorm2d(globally)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """(B, in_channels, H, W) to both parts at half the size."""
        locally, globally = self.local_to_local(x), self.local_to_global(x)
        return F.relu(self.norm_local(locally)), F.relu(self.norm_global(globally))


class FourierConvolution(nn.Module):
    """A fast Fourier convolution: both parts see both parts."""

    def __init__(self, local: int, globally: int) -> None:
        super().__init__()
        self.local_to_local = _convolution(local, local, 3)
        self.local_to_global = _convolution(local, globally, 3)
        self.global_to_local = _convolution(globally, local, 3)
        self.global_to_global = SpectralTransform(globally)
        self.norm_local = nn.BatchNorm2d(local)
        self.norm_global = nn.BatchNorm2d(globally)

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """(B, local, h, w) and (B, globally, h, w) to the same shapes."""
        locally = self.local_to_local(near) + self.global_to_local(far)
        globally = self.local_to_global(near) + self.global_to_global(far)
        return F.relu(self.norm_local(locally)), F.relu(self.norm_global(globally))


class Block(nn.Module):
    """Two fast Fourier convolutions and a bypass."""

    def __init__(self, local: int, globally: int) -> None:
        super().__init__()
        self.first = FourierConvolution(local, globally)
        self.second = FourierConvolution(local, globally)

    def forward(self, near: Tensor, far: Tensor) -> tuple[Tensor, Tensor]:
        """Both parts to both parts."""
        added = self.second(*self.first(near, far))
        return near + added[0], far + added[1]


class Lama(Network):
    """Image and mask to an image.

    Args:
        config: width and blocks.
    """

    SIZE_RULE = SizeRule(multiple=2**STEPS, minimum=2 * 2**STEPS)
    config: LamaConfig

    def __init__(self, config: LamaConfig) -> None:
        super().__init__()
        self.config = config
        w = config.width
        globally = 6 * w  # three quarters
        self.entry = LocalLayer(4, w, 7)
        self.halvings = nn.ModuleList([LocalLayer(w, 2 * w, 3, 2), LocalLayer(2 * w, 4 * w, 3, 2)])
        self.split = SplitLayer(4 * w, 8 * w - globally, globally)
        self.blocks = nn.ModuleList(Block(8 * w - globally, globally) for _ in range(config.blocks))
        self.doublings = nn.ModuleList(
            nn.Sequential(nn.ConvTranspose2d(2 * n, n, 3, 2, 1, output_padding=1), nn.BatchNorm2d(n), nn.ReLU())
            for n in (4 * w, 2 * w, w)
        )
        self.last = nn.Conv2d(w, 3, 7, padding=3, padding_mode="reflect")

    def forward(self, image: Tensor, mask: Tensor) -> GeneratorOutput:
        """Completes images.

        Args:
            image: (B, 3, H, W) in [0, 1]; H and W multiples of 8, from 16 on.
            mask: (B, 1, H, W) or (B, H, W), 1 or True = missing.

        Returns:
            The same image as coarse and refined, and no temperatures.

        Raises:
            ValueError: a size that is no multiple of 8, or below 16.
        """
        rule, (height, width) = self.SIZE_RULE, image.shape[2:]
        if height % rule.multiple or width % rule.multiple or min(height, width) < rule.minimum:
            raise ValueError(
                f"height and width must be multiples of {rule.multiple} from {rule.minimum} on, got {(height, width)}; "
                "pad first"
            )
        mask = as_plane(mask, image.dtype)
        x = self.entry(torch.cat([torch.where(mask > 0.5, 0, image), mask], 1))
        for halving in self.halvings:
            x = halving(x)
        near, far = self.split(x)
        for block in self.blocks:
            near, far = block(near, far)
        x = torch.cat([near, far], 1)
        for doubling in self.doublings:
            x = doubling(x)
        result = torch.sigmoid(self.last(x)).to(image.dtype)
        return GeneratorOutput(result, result, result.new_zeros(len(result), 0))

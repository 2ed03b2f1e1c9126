"""The discriminator of WaveFill, which judges patches of wavelet bands."""

from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from temperfill.nets.discriminator import local_patches
from temperfill.systems.wavefill import BandDiscriminatorConfig
from temperfill.systems.wavefill.self_attention import SelfAttention
from temperfill.systems.wavefill.wavelet import haar

LEVELS = 2


class BandDiscriminator(nn.Module):
    """Five 4 x 4 convolutions on the high bands of one level, with self-attention after the third.

    Args:
        width: channels after the first convolution.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        widths, strides = (9, width, 2 * width, 4 * width, 8 * width, 1), (2, 2, 2, 1, 1)
        # Instance normalisation takes biases away.
        self.convolutions = nn.ModuleList(
            spectral_norm(nn.Conv2d(a, b, 4, stride, 2, bias=i in (0, 4)))
            for i, ((a, b), stride) in enumerate(zip(pairwise(widths), strides, strict=True))
        )
        self.attention = SelfAttention(4 * width)

    def forward(self, bands: Tensor) -> list[Tensor]:
        """Bands (B, 9, H, W) to the features of every layer; the last are judgements (B, 1, h, w)."""
        features = []
        x = bands
        for i, convolution in enumerate(self.convolutions):
            x = convolution(x)
            if i < 4:
                x = F.leaky_relu(F.instance_norm(x) if i else x, 0.2)
            if i == 2:
                x = self.attention(x)
            features.append(x)
        return features


class WaveFillDiscriminator(nn.Module):
    """Judges the high bands of both levels, each whole and in a patch of half its side (Yu et al. 2021).

    Args:
        config: width.
    """

    def __init__(self, config: BandDiscriminatorConfig) -> None:
        super().__init__()
        self.whole = nn.ModuleList(BandDiscriminator(config.width) for _ in range(LEVELS))
        self.local = nn.ModuleList(BandDiscriminator(config.width) for _ in range(LEVELS))

    def forward(self, image: Tensor, centres: Tensor) -> list[list[Tensor]]:
        """Features of every layer of every part; the last of each part are its judgements.

        Args:
            image: (B, 3, H, W) in [0, 1], H and W multiples of 4.
            centres: (B, 2) integers, a pixel of the hole of each, around which patches are cut.

        Returns:
            Four lists: whole and patch of the bands at half the size, then at a quarter.
        """
        features, low = [], image * 2 - 1
        for level, (whole, local) in enumerate(zip(self.whole, self.local, strict=True)):
            low, high = haar(low)
            features += [whole(high), local(local_patches(high, centres // 2 ** (level + 1)))]
        return features

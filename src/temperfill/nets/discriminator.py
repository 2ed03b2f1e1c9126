"""The global-local discriminator (paper, section III-A)."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from temperfill.config import DiscriminatorConfig

GLOBAL_WIDTHS = (1, 2, 4, 8, 8, 8)
LOCAL_WIDTHS = (1, 2, 4, 8, 8)
POOL = 4


def local_patches(image: Tensor, centres: Tensor) -> Tensor:
    """Square patches of half the picture's side around given pixels, moved inside where they would cross the border.

    Args:
        image: (B, 3, H, W).
        centres: (B, 2) integers, row and column.

    Returns:
        (B, 3, H // 2, W // 2).
    """
    height, width = image.shape[2] // 2, image.shape[3] // 2
    top = (centres[:, 0] - height // 2).clamp(0, image.shape[2] - height).tolist()
    left = (centres[:, 1] - width // 2).clamp(0, image.shape[3] - width).tolist()
    return torch.stack([x[:, t : t + height, s : s + width] for x, t, s in zip(image, top, left, strict=True)])


class Branch(nn.Module):
    """5x5 convolutions of stride 2, pooled to 4x4, and one fully connected layer: an image to a feature vector."""

    def __init__(self, widths: list[int], feature_dim: int, normalised: bool) -> None:
        super().__init__()
        channels = [3, *widths]
        self.convolutions = nn.ModuleList(
            _normalised(nn.Conv2d(a, b, 5, 2, 2), normalised) for a, b in pairwise(channels)
        )
        self.linear = _normalised(nn.Linear(widths[-1] * POOL**2, feature_dim), normalised)

    def forward(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) to (B, feature_dim)."""
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), 0.2)
        return F.leaky_relu(self.linear(F.adaptive_avg_pool2d(x, POOL).flatten(1)), 0.2)


def _normalised(layer: nn.Module, normalised: bool) -> nn.Module:
    return spectral_norm(layer) if normalised else layer


class Discriminator(nn.Module):
    """Judges whole images and patches of half their side around pixels of the hole.

    Args:
        config: widths.
        normalised: spectral normalisation on every layer (hinge); WGAN-GP goes without.
    """

    def __init__(self, config: DiscriminatorConfig, normalised: bool = True) -> None:
        super().__init__()
        self.global_branch = Branch([config.width * m for m in GLOBAL_WIDTHS], config.feature_dim, normalised)
        self.local_branch = Branch([config.width * m for m in LOCAL_WIDTHS], config.feature_dim, normalised)
        self.linear = _normalised(nn.Linear(2 * config.feature_dim, 1), normalised)

    def forward(self, image: Tensor, centres: Tensor) -> Tensor:
        """One raw value per image; its sigmoid reads as the probability of being real.

        Args:
            image: (B, 3, H, W) composites or pictures in [0, 1].
            centres: (B, 2) integers, a pixel of the hole of each.

        Returns:
            (B, 1).
        """
        image = image * 2 - 1
        return self.linear(torch.cat([self.global_branch(image), self.local_branch(local_patches(image, centres))], 1))

"""SN-PatchGAN, the discriminator of DeepFillv2 and of ATMA."""

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from temperfill.systems.deepfillv2 import PatchDiscriminatorConfig

SN_WIDTHS = (1, 2, 4, 4, 4, 4)


class SNPatchGAN(nn.Module):
    """Six 5 x 5 convolutions of stride 2 with spectral normalisation and LeakyReLU (Yu et al. 2019, section 3.4).

    Every element of the last map is a judgement of its own, as each sees another part of the picture.

    Args:
        config: width.
    """

    def __init__(self, config: PatchDiscriminatorConfig) -> None:
        super().__init__()
        widths = [4, *(config.width * multiple for multiple in SN_WIDTHS)]
        self.convolutions = nn.ModuleList(spectral_norm(nn.Conv2d(a, b, 5, 2, 2)) for a, b in pairwise(widths))

    def forward(self, image: Tensor, mask: Tensor) -> Tensor:
        """Composites or pictures (B, 3, H, W) in [0, 1] and masks (B, 1, H, W) to (B, 4 * width, H/64, W/64)."""
        x = torch.cat([image * 2 - 1, mask], 1)
        for convolution in self.convolutions:
            x = F.leaky_relu(convolution(x), 0.2)
        return x

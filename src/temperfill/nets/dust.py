"""A small network that finds dust, hairs and scratches: a U-Net (Ronneberger et al. 2015) of two poolings."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CHANNELS = (12, 24, 40)
"""Width of each level of the bundled network, from the picture's own size down."""
MULTIPLE = 4
"""Sides of pictures, in pixels, that lose no row or column in the poolings are multiples of it."""
REACH = 32
"""Pixels beyond which nothing changes an output, a multiple of ``MULTIPLE``."""


def _block(inner: int, outer: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inner, outer, 3, padding=1), nn.ReLU(), nn.Conv2d(outer, outer, 3, padding=1), nn.ReLU()
    )


class DustNet(nn.Module):
    """How likely each pixel of a scan lies on the picture and not in it.

    Args:
        channels: width of the three levels.
    """

    def __init__(self, channels: tuple[int, int, int] = CHANNELS) -> None:
        super().__init__()
        fine, middle, deep = self.channels = (channels[0], channels[1], channels[2])
        self.fine_in, self.middle_in, self.deep = _block(3, fine), _block(fine, middle), _block(middle, deep)
        self.middle_out, self.fine_out = _block(deep + middle, middle), _block(middle + fine, fine)
        self.answer = nn.Conv2d(fine, 1, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(B, 3, H, W) RGB in [0, 1], sides multiples of 4, to logits (B, 1, H, W)."""
        fine = self.fine_in(image - 0.5)
        middle = self.middle_in(F.max_pool2d(fine, 2))
        deep = self.deep(F.max_pool2d(middle, 2))
        middle = self.middle_out(torch.cat([F.interpolate(deep, scale_factor=2.0), middle], 1))
        return self.answer(self.fine_out(torch.cat([F.interpolate(middle, scale_factor=2.0), fine], 1)))

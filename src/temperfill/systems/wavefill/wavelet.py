"""The Haar wavelet transform, two-dimensional and orthonormal: it keeps the sum of squares and is its own inverse."""

import torch
import torch.nn.functional as F
from torch import Tensor


def haar(x: Tensor) -> tuple[Tensor, Tensor]:
    """One level of the transform, which reads every block of 2 x 2 pixels once (a convolution of stride 2).

    Args:
        x: (B, C, H, W), H and W even.

    Returns:
        Low band (B, C, H/2, W/2), twice the mean of a block; high bands (B, 3C, H/2, W/2), for each channel the
        differences of its rows, of its columns, and of its diagonals.
    """
    batch, channels, height, width = x.shape
    low, *high = _mix(F.pixel_unshuffle(x, 2).unflatten(1, (channels, 4)))
    return low, torch.stack(high, 2).reshape(batch, 3 * channels, height // 2, width // 2)


def unhaar(low: Tensor, high: Tensor) -> Tensor:
    """The inverse of :func:`haar`: low band (B, C, h, w) and high bands (B, 3C, h, w) to (B, C, 2h, 2w)."""
    channels = low.shape[1]
    bands = torch.cat([low[:, :, None], high.unflatten(1, (channels, 3))], 2)
    return F.pixel_shuffle(torch.stack(_mix(bands), 2).flatten(1, 2), 2)


def _mix(x: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums and differences of four maps (B, C, 4, h, w); twice gives the maps back."""
    a, b, c, d = x.unbind(2)
    return (a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2

"""Gradients and Gaussian means of planes."""

import torch
import torch.nn.functional as F
from torch import Tensor


def gradients(image: Tensor) -> tuple[Tensor, Tensor]:
    """Differences to the pixel on the right and to the one below, zero at the end: (B, C, H, W) each."""
    right = F.pad(image[..., 1:] - image[..., :-1], (0, 1))
    below = F.pad(image[..., 1:, :] - image[..., :-1, :], (0, 0, 0, 1))
    return right, below


def blur(image: Tensor, weight: Tensor, deviation: float) -> Tensor:
    """Gaussian means (B, C, H, W) of what has weight (B, 1, H, W)."""
    radius = int(3 * deviation + 0.5)
    kernel = torch.exp(-(torch.arange(-radius, radius + 1.0) ** 2) / (2 * deviation**2))
    kernel = kernel / kernel.sum()

    def spread(plane: Tensor) -> Tensor:
        flat = F.pad(plane.flatten(0, 1)[:, None], (radius,) * 4, mode="replicate")
        flat = F.conv2d(F.conv2d(flat, kernel.view(1, 1, 1, -1)), kernel.view(1, 1, -1, 1))
        return flat.view_as(plane)

    return spread(image * weight) / spread(weight).clamp_min(1e-4)

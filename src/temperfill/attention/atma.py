"""Adaptive multi-temperature mask-guided attention, ATMA (Zhou et al. 2021), the predecessor of MHTMA.

It is contextual attention with several learned temperatures instead of the constant one. Its temperature network ends
in LeakyReLU, so that a temperature can become negative and the least similar patch get the largest weight: the
instability that MHTMA removes.
"""

import torch
from torch import Tensor, nn

from temperfill.attention.contextual import pad_to_rate, paste, patch_scores
from temperfill.attention.temperature import TemperatureNetwork


class ATMA(nn.Module):
    """One attention map and result per temperature, concatenated and projected.

    Args:
        channels: C of the features.
        heads: number of temperatures.
        temperature_init: temperature at the start.
    """

    def __init__(self, channels: int, heads: int = 2, temperature_init: float = 0.1) -> None:
        super().__init__()
        self.temperature = TemperatureNetwork(channels, heads, temperature_init, activation="leaky_relu")
        self.project_out = nn.Conv2d(heads * channels, channels, 1)

    def temperatures(self, features: Tensor) -> Tensor:
        """(B, C, h, w) features to (B, heads) temperatures of either sign."""
        return self.temperature(features)

    def forward(self, features: Tensor, mask: Tensor, temperatures: Tensor | None = None) -> Tensor:
        """Features (B, C, h, w) and mask (B, 1, H, W), 1 = missing, to features (B, C, h, w).

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W) or (B, H, W) with H >= h, W >= w, 1 or True = missing; each image has its own.
            temperatures: (B, heads) to use instead of the learned ones.

        Returns:
            (B, C, h, w).
        """
        if temperatures is None:
            temperatures = self.temperatures(features)
        # Keeps the sign, which is the point of interest, and only spares the division by zero.
        temperatures = torch.where(temperatures < 0, -1.0, 1.0) * temperatures.abs().clamp(min=1e-6)
        with torch.autocast(features.device.type, enabled=False):
            height, width = features.shape[2:]
            dtype = torch.promote_types(features.dtype, torch.float32)
            padded, padded_mask = pad_to_rate(features.to(dtype), mask)
            size = (padded.shape[2], padded.shape[3])
            scores, valid, pasted = patch_scores(padded, padded_mask)
            maps = []
            for temperature in temperatures.to(dtype).unbind(1):
                weights = torch.softmax(scores / temperature[:, None, None], -1) * valid
                maps.append(paste(weights, pasted, size)[:, :, :height, :width])
        return self.project_out(torch.cat(maps, 1))

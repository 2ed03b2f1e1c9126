"""The network that learns one temperature per head and image (paper, section III-D, Fig. 4, Eqs. 13-14)."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class TemperatureNetwork(nn.Module):
    """Four convolutions, global average and maximum pooling, one fully connected layer, an activation.

    It computes in float32 whatever the surrounding precision.

    Args:
        channels: C of the features.
        num_temperatures: temperatures to give, one per head.
        initial: temperature it starts near.
        activation: ``softplus`` (Eq. 13) is positive for any weights. ``leaky_relu`` is that of ATMA: it can go
            negative, which reverses the ranking of the patches.
        floor: added after the Softplus. A clamp would stop the gradient instead.
    """

    def __init__(
        self,
        channels: int,
        num_temperatures: int,
        initial: float = 0.1,
        activation: Literal["softplus", "leaky_relu"] = "softplus",
        floor: float = 0.01,
    ) -> None:
        super().__init__()
        width = max(channels // 2, 1)
        convolutions = [nn.Conv2d(channels if i == 0 else width, width, 3, stride=2, padding=1) for i in range(4)]
        self.convolutions = nn.ModuleList(convolutions)
        self.linear = nn.Linear(2 * width, num_temperatures)
        self.activation = activation
        self.floor = floor if activation == "softplus" else 0.0
        start = initial - self.floor
        # Small weights: at the start the temperature hardly depends on the picture.
        nn.init.normal_(self.linear.weight, std=1e-3)
        nn.init.constant_(self.linear.bias, math.log(math.expm1(start)) if activation == "softplus" else start)
        for convolution in convolutions:
            nn.init.kaiming_normal_(convolution.weight, a=0.2, nonlinearity="leaky_relu")
            nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) features to (B, heads) temperatures."""
        with torch.autocast(features.device.type, enabled=False):
            x = features.to(self.linear.weight.dtype)
            for convolution in self.convolutions:
                x = F.leaky_relu(convolution(x), 0.2)
            x = self.linear(torch.cat([x.mean((2, 3)), x.amax((2, 3))], 1))
            return F.softplus(x) + self.floor if self.activation == "softplus" else F.leaky_relu(x, 0.2)

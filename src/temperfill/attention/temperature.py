"""Where temperatures come from: the network that learns them (paper, section III-D, Fig. 4), or a schedule."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

TemperatureKind = Literal["softplus", "leaky_relu", "exponential", "constant", "annealed"]
"""What gives temperatures: a network by its last activation, or a schedule."""
_HOTTEST = 20.0
"""Logarithm of a temperature that weighs all keys alike; the exponential goes no further, to stay finite."""


class TemperatureNetwork(nn.Module):
    """Four convolutions, global average and maximum pooling, one fully connected layer, an activation (Eqs. 13-14).

    It computes in float32 whatever the surrounding precision.

    Args:
        channels: C of the features.
        num_temperatures: temperatures to give, one per head.
        initial: temperature it starts near.
        activation: ``softplus`` (Eq. 13) and ``exponential`` are positive for any weights. ``leaky_relu`` is that of
            ATMA: it can go negative, which reverses the ranking of the patches.
        floor: added after those that are positive. A clamp would stop the gradient instead.
    """

    def __init__(
        self,
        channels: int,
        num_temperatures: int,
        initial: float = 0.1,
        activation: Literal["softplus", "leaky_relu", "exponential"] = "softplus",
        floor: float = 0.01,
    ) -> None:
        super().__init__()
        width = max(channels // 2, 1)
        convolutions = [nn.Conv2d(channels if i == 0 else width, width, 3, stride=2, padding=1) for i in range(4)]
        self.convolutions = nn.ModuleList(convolutions)
        self.linear = nn.Linear(2 * width, num_temperatures)
        self.activation = activation
        self.floor = 0.0 if activation == "leaky_relu" else floor
        start = initial - self.floor
        if activation == "softplus":
            start = math.log(math.expm1(start))
        elif activation == "exponential":
            start = math.log(start)
        # Small weights: at the start the temperature hardly depends on the picture.
        nn.init.normal_(self.linear.weight, std=1e-3)
        nn.init.constant_(self.linear.bias, start)
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
            if self.activation == "leaky_relu":
                return F.leaky_relu(x, 0.2)
            return (F.softplus(x) if self.activation == "softplus" else x.clamp(max=_HOTTEST).exp()) + self.floor


class GivenTemperature(nn.Module):
    """Temperatures that nothing learns: constant, or falling over training as a schedule says (paper, section II-C).

    They are stored with the weights, so that a trained network keeps those of its last step.

    Args:
        num_temperatures: temperatures to give, one per head; all are alike.
        initial: temperature of the first step.
        end: temperature after ``steps`` steps, and from then on.
        steps: over which it falls, by the same factor in each; 0 for a constant temperature.
    """

    value: Tensor

    def __init__(self, num_temperatures: int, initial: float, end: float = 0.0, steps: int = 0) -> None:
        super().__init__()
        self.initial, self.end, self.steps = initial, end, steps
        self.register_buffer("value", torch.full((num_temperatures,), initial))

    def set_step(self, step: int) -> None:
        """Takes the temperature of a training step, counted from 0."""
        if self.steps:
            self.value.fill_(self.initial * (self.end / self.initial) ** min(step / self.steps, 1.0))

    def forward(self, features: Tensor) -> Tensor:
        """(B, C, h, w) features to (B, heads) temperatures."""
        return self.value.expand(features.shape[0], -1)


def temperature_source(
    kind: TemperatureKind, channels: int, heads: int, initial: float, floor: float, end: float, steps: int
) -> TemperatureNetwork | GivenTemperature:
    """What gives the temperatures of an attention.

    Args:
        kind: a last activation for learned ones; ``constant`` for ``initial``; ``annealed`` for a fall.
        channels: C of the features.
        heads: temperatures of each picture.
        initial: temperature at the start.
        floor: lower bound of those that are learned as positive.
        end: last temperature of ``annealed``.
        steps: training steps over which ``annealed`` falls.
    """
    if kind == "constant":
        return GivenTemperature(heads, initial)
    if kind == "annealed":
        return GivenTemperature(heads, initial, end, steps)
    return TemperatureNetwork(channels, heads, initial, kind, floor)

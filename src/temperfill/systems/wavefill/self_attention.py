"""Self-attention over positions (Zhang et al. 2019, SAGAN), with spectral normalisation."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm


def attend(queries: Tensor, keys: Tensor, values: Tensor, scale: float = 1.0) -> Tensor:
    """Softmax attention of every position over keys and values pooled 2 x 2 by maximum.

    Args:
        queries: (B, C, h, w).
        keys: (B, C, h, w), h and w at least 2.
        values: (B, D, h, w).
        scale: factor on the inner products, the inverse of a temperature.

    Returns:
        (B, D, h, w).
    """
    keys, values = F.max_pool2d(keys, 2), F.max_pool2d(values, 2)
    q, k, v = (x.flatten(2).transpose(1, 2)[:, None] for x in (queries, keys, values))
    result = F.scaled_dot_product_attention(q, k, v, scale=scale)
    return result[:, 0].transpose(1, 2).unflatten(2, queries.shape[2:])


class SelfAttention(nn.Module):
    """Adds to features what attention finds at other positions, by a learned factor that starts at zero.

    Args:
        channels: C of the features; at least 8.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = max(channels // 8, 1)
        self.queries, self.keys, self.values, self.output = (
            spectral_norm(nn.Conv2d(a, b, 1, bias=False))
            for a, b in ((channels, inner), (channels, inner), (channels, channels // 2), (channels // 2, channels))
        )
        self.factor = nn.Parameter(torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, h, w) to (B, C, h, w)."""
        return x + self.factor * self.output(attend(self.queries(x), self.keys(x), self.values(x)))

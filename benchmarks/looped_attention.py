"""Contextual attention and ATMA picture by picture, with patches as convolution kernels, as their papers do.

The same numbers as the modules of ``temperfill.attention``, whose batched form these are timed against. Scores are
fused by a convolution of the score matrix with a 3x3 identity.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention import ATMA, ContextualAttention
from temperfill.attention.contextual import PATCH_SIZE, RATE
from temperfill.attention.patches import reduce_mask


class LoopedAttention(nn.Module):
    """One picture and one temperature after the other.

    Args:
        attention: the module whose weights and temperatures are used.
    """

    def __init__(self, attention: ATMA | ContextualAttention) -> None:
        super().__init__()
        self.attention = attention

    def temperatures(self, features: Tensor) -> Tensor:
        return self.attention.temperatures(features)

    def forward(self, features: Tensor, mask: Tensor, temperatures: Tensor | None = None) -> Tensor:
        """(B, C, h, w), h and w even, and (B, 1, H, W), 1 = missing, to (B, C, h, w)."""
        if temperatures is None:
            temperatures = self.temperatures(features)
        mask = reduce_mask(mask, (features.shape[2], features.shape[3])).to(features.dtype)
        if isinstance(self.attention, ATMA):
            temperatures = torch.where(temperatures < 0, -1.0, 1.0) * temperatures.abs().clamp(min=1e-6)
        results = [
            self._one(f[None], m[None], t.to(f.dtype)) for f, m, t in zip(features, mask, temperatures, strict=True)
        ]
        maps = torch.cat(results)
        return self.attention.project_out(maps) if isinstance(self.attention, ATMA) else maps

    def _one(self, features: Tensor, mask: Tensor, temperatures: Tensor) -> Tensor:
        """(1, C, h, w) to (1, heads * C, h, w)."""
        reduced = features[:, :, ::RATE, ::RATE]
        height, width = reduced.shape[2:]
        patches = F.unfold(reduced, PATCH_SIZE, padding=PATCH_SIZE // 2)[0].T
        kernels = patches / patches.norm(dim=1, keepdim=True).clamp(min=1e-4)
        kernels = kernels.reshape(-1, reduced.shape[1], PATCH_SIZE, PATCH_SIZE)
        # (1, keys, h, w)
        scores = F.conv2d(reduced, kernels, padding=PATCH_SIZE // 2)
        scores = _fused(scores[0].flatten(1), height, width).reshape(1, -1, height, width)
        hole = F.max_pool2d(F.max_pool2d(mask, RATE), PATCH_SIZE, 1, PATCH_SIZE // 2)
        valid = (1 - hole).reshape(1, -1, 1, 1)
        pasted = F.unfold(features, 2 * RATE, padding=RATE // 2, stride=RATE)[0].T
        pasted = pasted.reshape(-1, features.shape[1], 2 * RATE, 2 * RATE)
        maps = []
        for temperature in temperatures:
            weights = torch.softmax(scores * valid / temperature, 1) * valid
            maps.append(F.conv_transpose2d(weights, pasted, stride=RATE, padding=RATE // 2) / 4)
        return torch.cat(maps, 1)


def _fused(scores: Tensor, height: int, width: int) -> Tensor:
    """(keys, queries) in row order, convolved with an identity in row order and then in column order."""
    identity = torch.eye(3, dtype=scores.dtype, device=scores.device)[None, None]
    scores = F.conv2d(scores[None, None], identity, padding=1)
    columns_first = _reordered(scores, height, width)
    return _reordered(F.conv2d(columns_first, identity, padding=1), width, height)[0, 0]


def _reordered(scores: Tensor, rows: int, columns: int) -> Tensor:
    """Both sides of a (1, 1, N, N) matrix from the order of rows to that of columns."""
    scores = scores.reshape(rows, columns, rows, columns).permute(1, 0, 3, 2)
    return scores.reshape(1, 1, rows * columns, rows * columns)

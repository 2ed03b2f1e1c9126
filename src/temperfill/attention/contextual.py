"""Contextual attention of DeepFillv2 (Yu et al., arXiv 1801.07892 and 1806.03589), with a mask for each image.

Patches of the known part are matched with every patch at half feature size by inner product (keys normalised, queries
not), scores are fused along diagonals so that neighbours copy from neighbours, a softmax of constant scale weighs
them, and 4 x 4 patches of the full-size features are pasted.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from temperfill.attention.patches import overlap_add, reduce_mask, unroll_keys, unroll_queries

RATE = 2
"""Matching happens on features reduced by this factor."""
PATCH_SIZE = 3
"""Side of the matched patches at reduced size; the pasted patches are 2 * RATE wide."""
SOFTMAX_SCALE = 10.0
"""The constant inverse temperature."""


def _reduce(features: Tensor, corners: bool) -> Tensor:
    """(B, C, h, w) to (B, C, h / RATE, w / RATE) by nearest neighbour."""
    if not corners:
        return features[:, :, ::RATE, ::RATE]
    rows, columns = (
        (torch.arange(side // RATE, device=features.device) * (side - 1) / max(side // RATE - 1, 1) + 0.5).long()
        for side in features.shape[2:]
    )
    return features[:, :, rows][..., columns]


def patch_scores(features: Tensor, mask: Tensor, corners: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Fused similarities of all patches with all patches.

    Args:
        features: (B, C, h, w), h and w multiples of RATE.
        mask: (B, 1, h, w), 1 = missing.
        corners: reduce features so that corners fall on corners, as TensorFlow's align_corners does.

    Returns:
        scores (B, N, M) of N queries with M = N keys at reduced size, zero where the key touches the hole;
        valid (B, 1, M), 1 where it does not; pasted patches (B, M, 16 * C) of the full-size features.
    """
    reduced = _reduce(features, corners)
    size = (reduced.shape[2], reduced.shape[3])
    queries = unroll_queries(reduced, PATCH_SIZE)
    keys = queries / queries.norm(dim=-1, keepdim=True).clamp(min=1e-4)
    scores = fuse(queries @ keys.transpose(1, 2), size)
    hole = F.max_pool2d(F.max_pool2d(mask, RATE), PATCH_SIZE, 1, PATCH_SIZE // 2)
    valid = 1 - hole.flatten(1)[:, None]
    pasted = unroll_keys(F.pad(features, (RATE // 2,) * 4), 2 * RATE, RATE)
    return scores * valid, valid, pasted


def fuse(scores: Tensor, size: tuple[int, int]) -> Tensor:
    """Sums scores along the diagonals of the score matrix, in row order and then in column order.

    The public code convolves the matrix with a 3 x 3 identity; three shifted additions give the same values with a
    fraction of the memory.

    Args:
        scores: (B, N, M) with N = M = h * w in row order.
        size: (h, w).

    Returns:
        (B, N, M).
    """
    height, width = size

    def diagonal_sum(x: Tensor) -> Tensor:
        before = F.pad(x, (1, 0, 1, 0))[:, :-1, :-1]
        after = F.pad(x, (0, 1, 0, 1))[:, 1:, 1:]
        return x + before + after

    def transpose_order(x: Tensor, rows: int, columns: int) -> Tensor:
        x = x.reshape(-1, rows, columns, rows, columns).permute(0, 2, 1, 4, 3)
        return x.reshape(-1, rows * columns, rows * columns)

    scores = transpose_order(diagonal_sum(scores), height, width)
    return transpose_order(diagonal_sum(scores), width, height)


def paste(weights: Tensor, pasted: Tensor, size: tuple[int, int]) -> Tensor:
    """Pastes weighted patches, four of which overlap everywhere but at the border.

    Args:
        weights: (B, N, M).
        pasted: (B, M, 16 * C).
        size: (h, w) of the full-size features.

    Returns:
        (B, C, h, w).
    """
    border = RATE // 2
    added = overlap_add(weights @ pasted, (size[0] // RATE, size[1] // RATE), 2 * RATE, RATE)
    return added[:, :, border:-border, border:-border] / 4


def pad_to_rate(features: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
    """Repeats the last row and column where a side is odd, for features and mask (reduced to feature size) alike."""
    height, width = features.shape[2:]
    mask = reduce_mask(mask, (height, width)).to(features.dtype)
    padding = (0, -width % RATE, 0, -height % RATE)
    return F.pad(features, padding, mode="replicate"), F.pad(mask, padding, mode="replicate")


class ContextualAttention(nn.Module):
    """Contextual attention; it has no parameters.

    Its output on a picture that is all hole is zero, as every weight is.

    Args:
        corners: as for :func:`patch_scores`.
    """

    def __init__(self, corners: bool = False) -> None:
        super().__init__()
        self.corners = corners

    def temperatures(self, features: Tensor) -> Tensor:
        """(B, 1): the constant temperature, the inverse of the softmax scale."""
        dtype = torch.promote_types(features.dtype, torch.float32)
        return torch.full((features.shape[0], 1), 1 / SOFTMAX_SCALE, dtype=dtype, device=features.device)

    def forward(self, features: Tensor, mask: Tensor, temperatures: Tensor | None = None) -> Tensor:
        """Features (B, C, h, w) and mask (B, 1, H, W), 1 = missing, to features (B, C, h, w).

        Args:
            features: (B, C, h, w).
            mask: (B, 1, H, W) or (B, H, W) with H >= h, W >= w, 1 or True = missing; each image has its own.
            temperatures: (B, 1) to use instead of the constant.

        Returns:
            (B, C, h, w).
        """
        if temperatures is None:
            temperatures = self.temperatures(features)
        with torch.autocast(features.device.type, enabled=False):
            height, width = features.shape[2:]
            dtype = torch.promote_types(features.dtype, torch.float32)
            padded, padded_mask = pad_to_rate(features.to(dtype), mask)
            scores, valid, pasted = patch_scores(padded, padded_mask, self.corners)
            weights = torch.softmax(scores / temperatures.to(dtype)[:, :, None], -1) * valid
            return paste(weights, pasted, (padded.shape[2], padded.shape[3]))[:, :, :height, :width]

"""Contextual attention and carried detail by torch's own unfolding and folding: what shifted slices are held to."""

import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill.attention.contextual import PATCH_SIZE, RATE, fuse


def attend(features: Tensor, mask: Tensor, temperature: Tensor) -> Tensor:
    """Contextual attention.

    Args:
        features: (B, C, h, w), h and w multiples of RATE.
        mask: (B, 1, h, w), 1 = missing.
        temperature: (B,).

    Returns:
        (B, C, h, w).
    """
    reduced = features[:, :, ::RATE, ::RATE]
    queries = F.unfold(reduced, PATCH_SIZE, padding=PATCH_SIZE // 2).transpose(1, 2)
    keys = queries / queries.norm(dim=-1, keepdim=True).clamp(min=1e-4)
    scores = fuse(queries @ keys.transpose(1, 2), (reduced.shape[2], reduced.shape[3]))
    hole = F.max_pool2d(F.max_pool2d(mask, RATE), PATCH_SIZE, 1, PATCH_SIZE // 2)
    valid = 1 - hole.flatten(1)[:, None]
    pasted = F.unfold(features, 2 * RATE, padding=RATE // 2, stride=RATE).transpose(1, 2)
    weights = torch.softmax(scores * valid / temperature[:, None, None], -1) * valid
    size = (features.shape[2], features.shape[3])
    return F.fold((weights @ pasted).transpose(1, 2), size, 2 * RATE, padding=RATE // 2, stride=RATE) / 4


def carry(detail: Tensor, cells: Tensor, weights: Tensor, sources: Tensor, cell: int) -> Tensor:
    """As ``temperfill.inpainter.transfer.carry_detail``."""
    margin, side = cell // 2, 2 * cell
    windows = F.unfold(detail, side, padding=margin, stride=cell)[0]
    share = weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    ramp = torch.hann_window(side, dtype=detail.dtype, device=detail.device)
    fade = (ramp[:, None] * ramp[None, :]).flatten().repeat(detail.shape[1])
    written = torch.zeros_like(windows)
    total = torch.zeros_like(windows[:, : len(cells)])
    for rank in range(weights.shape[-1]):
        total += windows[:, sources[:, rank]] * share[:, rank]
    written[:, cells] = total * fade[:, None]
    return F.fold(written[None], (detail.shape[2], detail.shape[3]), side, padding=margin, stride=cell)

"""Unrolling feature maps into patches and rolling them back; masks at feature size."""

import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill.tensors import as_plane

ALL = slice(None)


def reduce_mask(mask: Tensor, size: tuple[int, int]) -> Tensor:
    """Reduces a mask to feature size by maximum: a cell is missing if any of its pixels is.

    Nearest neighbour would lose scratches of one pixel whole.

    Args:
        mask: (B, 1, H, W) or (B, H, W), 1 or True = missing.
        size: (h, w), each at most the mask's.

    Returns:
        (B, 1, h, w), floating point.
    """
    mask = as_plane(mask, torch.float32)
    return mask if mask.shape[2:] == size else F.adaptive_max_pool2d(mask, size)


def pad_to_patch(features: Tensor, patch_size: int) -> Tensor:
    """Pads a map below and on the right with zeros so that at least one whole patch fits."""
    height, width = features.shape[2:]
    return F.pad(features, (0, max(patch_size - width, 0), 0, max(patch_size - height, 0)))


def unroll_queries(features: Tensor, patch_size: int, rows: slice = ALL, columns: slice = ALL) -> Tensor:
    """One patch around every cell, zero padding at the border; for even sizes the extra row and column go after.

    Args:
        features: (B, C, h, w).
        patch_size: side k of the patches.
        rows: of the cells, inside the map and not counted from its end.
        columns: likewise.

    Returns:
        (B, N, k*k*C), row by row.
    """
    before, after = (patch_size - 1) // 2, patch_size // 2
    padded = F.pad(features, (before, after, before, after))
    (top, bottom), (left, right) = _ends(rows, features.shape[2]), _ends(columns, features.shape[3])
    return unroll_keys(padded[:, :, top : bottom + patch_size - 1, left : right + patch_size - 1], patch_size, 1)


def _ends(part: slice, length: int) -> tuple[int, int]:
    """Start and end of a part of a line; ``slice.indices`` would fix the size of a network that is exported."""
    return part.start or 0, length if part.stop is None else part.stop


def unroll_keys(features: Tensor, patch_size: int, stride: int) -> Tensor:
    """Every whole patch, without padding.

    Args:
        features: (B, C, h, w), h and w at least ``patch_size``.
        patch_size: side k of the patches.
        stride: distance between patches.

    Returns:
        (B, M, k*k*C) with M = ((h-k)//stride + 1) * ((w-k)//stride + 1); the channels of a cell lie side by side.
    """
    # Shifted slices rather than F.unfold: torch.compile turns the gradient of that into atomic additions, which are
    # slow on CPU and whose order is not fixed. Channels last, so that each copies whole cells.
    rows, columns = ((side - patch_size) // stride + 1 for side in features.shape[2:])
    cells = features.permute(0, 2, 3, 1).contiguous()
    slices = [
        cells[:, i : i + (rows - 1) * stride + 1 : stride, j : j + (columns - 1) * stride + 1 : stride]
        for i in range(patch_size)
        for j in range(patch_size)
    ]
    return torch.stack(slices, 3).flatten(3).flatten(1, 2)


def overlap_add(patches: Tensor, size: tuple[int, int], patch_size: int, stride: int) -> Tensor:
    """Puts patches where ``unroll_keys`` takes them from, and adds where they overlap.

    Args:
        patches: (B, rows * columns, k*k*C), the channels of a cell side by side.
        size: (rows, columns) of the patches.
        patch_size: side k of the patches, a multiple of ``stride``.
        stride: distance between patches.

    Returns:
        (B, C, (rows - 1) * stride + k, (columns - 1) * stride + k).
    """
    # A patch is a square of blocks as wide as the stride. Each block of all patches is one shifted slice, which covers
    # every cell once.
    side = patch_size // stride
    blocks = patches.unflatten(1, size).unflatten(-1, (side, stride, side, stride, -1))
    total: Tensor | None = None
    for i in range(side):
        for j in range(side):
            padding = (0, 0, 0, 0, 0, 0, j, side - 1 - j, i, side - 1 - i)
            piece = F.pad(blocks[:, :, :, i, :, j], padding)
            total = piece if total is None else total + piece
    assert total is not None
    return total.permute(0, 5, 1, 3, 2, 4).flatten(4, 5).flatten(2, 3)


def key_mask(mask: Tensor, patch_size: int, stride: int) -> Tensor:
    """Which key patches touch the hole (Eq. 8).

    Args:
        mask: (B, 1, h, w), 1 = missing.
        patch_size: side k of the patches.
        stride: distance between patches.

    Returns:
        (B, M), 1 = touches the hole.
    """
    return F.max_pool2d(mask, patch_size, stride).flatten(1)


def roll(patches: Tensor, size: tuple[int, int], patch_size: int) -> Tensor:
    """Folds query patches back to a map, overlaps averaged by their actual count (fewer at the border).

    Args:
        patches: (B, h*w, k*k*C), as from ``unroll_queries``.
        size: (h, w).
        patch_size: side k of the patches.

    Returns:
        (B, C, h, w).
    """
    height, width = size
    before = (patch_size - 1) // 2
    pieces = patches.unflatten(1, size).unflatten(-1, (patch_size**2, -1)).unbind(3)
    total = torch.zeros_like(pieces[0], memory_format=torch.contiguous_format)
    for index, piece in enumerate(pieces):
        # Element (i, j) of the patch around a cell lies (i - before, j - before) away from it.
        down, right = index // patch_size - before, index % patch_size - before
        if abs(down) >= height or abs(right) >= width:
            continue
        if torch.is_grad_enabled():
            total = total + F.pad(piece, (0, 0, right, -right, down, -down))
        else:
            _shifted(total, down, right).add_(_shifted(piece, -down, -right))
    rows, columns = (
        _overlap_count(length, patch_size, before, patches.device).to(patches.dtype) for length in (height, width)
    )
    return (total / (rows[:, None, None] * columns[:, None])).permute(0, 3, 1, 2)


def _shifted(cells: Tensor, down: int, right: int) -> Tensor:
    """(B, h, w, C) without its first rows and columns, or, where a number is negative, without its last; a view."""
    height, width = cells.shape[1:3]
    return cells[:, max(down, 0) : height + min(down, 0), max(right, 0) : width + min(right, 0)]


def _overlap_count(length: int, patch_size: int, before: int, device: torch.device) -> Tensor:
    """How many of the patches around the cells 0..length-1 of a line cover each of them."""
    cell = torch.arange(length, device=device)
    first = (cell - patch_size // 2).clamp(min=0)
    last = (cell + before).clamp(max=length - 1)
    return last - first + 1

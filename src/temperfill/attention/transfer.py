"""Detail of a large picture, carried along attention that was found in the same picture made small."""

import torch
import torch.nn.functional as F
from torch import Tensor


def carry_detail(detail: Tensor, cells: Tensor, weights: Tensor, sources: Tensor, cell: int) -> Tensor:
    """Copies windows of detail from where the attention points, blended where they overlap.

    Around every cell a window of twice its side is taken, the average of those that its sources point to; a Hann window
    fades each into its neighbours, so that no grid of cells is seen.

    Args:
        detail: (1, C, H, W) at full size, H and W multiples of ``cell``; zero where nothing is known.
        cells: (N,) cells to write, numbered row by row.
        weights: (N, top) of the sources; they need not sum to 1.
        sources: (N, top) cells to copy from.
        cell: side of a cell in pixels of ``detail``, even.

    Returns:
        (1, C, H, W), zero far from the cells.
    """
    margin, side = cell // 2, 2 * cell
    height, width = detail.shape[2:]
    windows = F.unfold(detail, side, padding=margin, stride=cell)[0]  # (C * side * side, cells)
    share = weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)
    ramp = torch.hann_window(side, dtype=detail.dtype, device=detail.device)
    fade = (ramp[:, None] * ramp[None, :]).flatten().repeat(detail.shape[1])
    written = torch.zeros_like(windows)
    total = torch.zeros_like(windows[:, : len(cells)])
    for rank in range(weights.shape[-1]):
        total += windows[:, sources[:, rank]] * share[:, rank]
    written[:, cells] = total * fade[:, None]
    return F.fold(written[None], (height, width), side, padding=margin, stride=cell)

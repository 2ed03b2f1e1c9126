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
    rows, columns = (length // cell for length in detail.shape[2:])
    padded = F.pad(detail[0], (margin,) * 4)
    windows = padded.unfold(1, side, cell).unfold(2, side, cell)  # (C, rows, columns, side, side), a view
    share = (weights / weights.sum(-1, keepdim=True).clamp(min=torch.finfo(weights.dtype).tiny)).unbind(-1)
    total = sum(
        windows[:, source // columns, source % columns] * part[:, None, None]
        for source, part in zip(sources.unbind(-1), share, strict=True)
    )
    ramp = torch.hann_window(side, dtype=detail.dtype, device=detail.device)
    total = total * (ramp[:, None] * ramp)
    # By quarters: of those in one place of their windows, none covers another.
    written = detail.new_zeros(len(padded), rows + 1, cell, columns + 1, cell)
    row, column = cells // columns, cells % columns
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        quarter = total[..., down * cell : (down + 1) * cell, right * cell : (right + 1) * cell]
        written[:, row + down, :, column + right] += quarter.transpose(0, 1)
    return written.flatten(3).flatten(1, 2)[None, :, margin:-margin, margin:-margin]

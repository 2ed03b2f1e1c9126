"""Detail of a large picture, carried along attention that was found in the same picture made small."""

import numpy as np
from numpy.typing import NDArray

from temperfill.arrays import Array


def carry_detail(
    detail: Array, cells: NDArray[np.generic], weights: Array, sources: NDArray[np.generic], cell: int
) -> Array:
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
    padded = np.pad(detail[0], [(0, 0), (margin, margin), (margin, margin)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, (side, side), (1, 2))[:, ::cell, ::cell]
    share = (weights / np.maximum(weights.sum(-1, keepdims=True), np.finfo(np.float32).tiny)).astype(np.float32)
    total = np.zeros((len(padded), len(cells), side, side), np.float32)
    for source, part in zip(sources.T, share.T, strict=True):
        total += windows[:, source // columns, source % columns] * part[:, None, None]
    ramp = np.hanning(side + 1)[:-1].astype(np.float32)  # a period of it
    total *= ramp[:, None] * ramp
    # By quarters: of those in one place of their windows, none covers another.
    written = np.zeros((len(padded), rows + 1, cell, columns + 1, cell), np.float32)
    row, column = cells // columns, cells % columns
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):
        quarter = total[..., down * cell : (down + 1) * cell, right * cell : (right + 1) * cell]
        # Indices on both sides of a slice come first.
        written[:, row + down, :, column + right] += quarter.swapaxes(0, 1)
    return written.reshape(1, len(padded), (rows + 1) * cell, (columns + 1) * cell)[..., margin:-margin, margin:-margin]

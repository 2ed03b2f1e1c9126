"""How much detail a place has, and how much a hole should have by what is around it."""

import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill.synthesis.filters import gradients

WIDE = 12
"""Pixels around a cell in which it is measured, at least."""
RIM = 4
"""Cells around the hole whose detail is looked at."""
ASKED = 1500
"""How many of them, at most."""
NONE = 1e-5
"""Mean square of differences that is added: below it nothing is seen."""


def detail_of_cells(image: Tensor, usable: Tensor, factor: int) -> Tensor:
    """How much detail the picture has, at its own size, in each cell of a smaller one.

    Args:
        image: (1, 3, H, W) in [0, 1].
        usable: (H, W) bool, what is looked at.
        factor: pixels on a side of a cell; the last cells may have fewer.

    Returns:
        (h, w), logarithm of the mean square of differences of neighbours in and around a cell; NaN in cells that are
        hardly usable.
    """
    right, below = gradients(image)
    squares = (right.square() + below.square()).mean(1, keepdim=True)
    # A difference is known where both its pixels are.
    known = usable & F.pad(usable[:, 1:], (0, 1)) & F.pad(usable[1:], (0, 0, 0, 1))
    border = (0, -known.shape[1] % factor, 0, -known.shape[0] % factor)
    weight = F.pad(known[None, None].to(image), border)
    radius = max(WIDE // factor, 1)
    total, share = F.avg_pool2d(F.pad(squares, border) * weight, factor), F.avg_pool2d(weight, factor)
    total, around = (F.avg_pool2d(plane, 2 * radius + 1, 1, radius) for plane in (total, share))
    mean = total / around.clamp_min(1e-3)
    return torch.where(share > 0.3, (mean + NONE).log(), torch.nan)[0, 0]


def expected_detail(detail: Tensor, near: Tensor, cells: Tensor) -> Tensor:
    """What cells of a hole should have: the mean of the rim's, weighted by one over the cubed distance.

    Args:
        detail: (h, w) of :func:`detail_of_cells`.
        near: (h, w) bool, True = within ``RIM`` cells of the hole.
        cells: (N, 2) rows and columns.

    Returns:
        (N,); NaN where nothing is known.
    """
    rim = (near & detail.isfinite()).nonzero()
    rim = rim[:: -(-len(rim) // ASKED) or 1]
    weight = (torch.cdist(cells.float(), rim.float()) + 0.5) ** -3
    return (weight @ detail[rim[:, 0], rim[:, 1]]) / weight.sum(1)

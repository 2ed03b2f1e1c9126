"""How much detail a place has, how much a hole should have by what is around it, and what a mean of copies lost."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from temperfill.arrays import Array
from temperfill.synthesis.draws import Numbers
from temperfill.synthesis.filters import blur, gradients
from temperfill.synthesis.patches import Mask

WIDE = 12
"""Pixels around a cell in which it is measured, at least."""
RIM = 4
"""Cells around the hole whose detail is looked at."""
ASKED = 1500
"""How many of them, at most."""
NONE = 1e-5
"""Mean square of differences that is added: below it nothing is seen."""
PLACE = 8.0
"""Deviation, pixels, of the place in which the detail of a mean of copies is compared with that of single ones."""
STRONGER = 2.0
"""By how much it is multiplied, at most."""


def detail_of_cells(image: Array, usable: Mask, factor: int) -> Array:
    """How much detail the picture has, at its own size, in each cell of a smaller one.

    Args:
        image: (3, H, W) in [0, 1].
        usable: (H, W) bool, what is looked at.
        factor: pixels on a side of a cell; the last cells may have fewer.

    Returns:
        (h, w), logarithm of the mean square of differences of neighbours in and around a cell; NaN in cells that are
        hardly usable.
    """
    right, below = gradients(image)
    squares = (np.square(right) + np.square(below)).mean(0)
    # A difference is known where both its pixels are.
    known = usable.copy()
    known[:, :-1] &= usable[:, 1:]
    known[:-1] &= usable[1:]
    known[:, -1] = known[-1] = False
    total, share = (_means_of_cells(plane, factor) for plane in (squares * known, known.astype(np.float32)))
    radius = max(WIDE // factor, 1)
    mean = _sums_around(total, radius) / np.maximum(_sums_around(share, radius), 1e-3 * (2 * radius + 1) ** 2)
    return np.where(share > 0.3, np.log(mean + NONE), np.float32(np.nan)).astype(np.float32)


def expected_detail(detail: Array, near: Mask, cells: Numbers) -> Array:
    """What cells of a hole should have: the mean of the rim's, weighted by one over the cubed distance.

    Args:
        detail: (h, w) of :func:`detail_of_cells`.
        near: (h, w) bool, True = within ``RIM`` cells of the hole.
        cells: (N, 2) rows and columns.

    Returns:
        (N,); NaN where nothing is known.
    """
    rim = np.argwhere(near & np.isfinite(detail))
    if not len(rim):
        return np.full(len(cells), np.nan, np.float32)
    rim = rim[:: -(-len(rim) // ASKED)]
    apart = (cells[:, None] - rim).astype(np.float32)
    distance = np.sqrt(np.square(apart).sum(2)) + np.float32(0.5)
    weight = 1 / (distance * distance * distance)
    found: Array = (weight * detail[rim[:, 0], rim[:, 1]]).sum(1) / weight.sum(1)
    return found


def strengthen(voted: Array, single: Array, hole: Mask) -> Array:
    """Makes the detail of a mean of copies as strong as that of single ones: means are smoother.

    Args:
        voted: (6, h, w), differences of the mean to the pixel on the right (3) and to the one below.
        single: (6, h, w), those of one copy for each pixel, which has the right strength but seams.
        hole: (h, w) bool; elsewhere nothing changes.

    Returns:
        (6, h, w); nothing gets weaker.
    """
    inside = hole[None].astype(np.float32)
    have, wanted = (blur(np.square(steps).sum(0, keepdims=True), inside, PLACE) for steps in (voted, single))
    gain = np.sqrt((wanted / np.maximum(have, np.float32(1e-9))).clip(1, STRONGER**2))
    return np.where(hole, voted * gain, voted)


def _means_of_cells(plane: Array, factor: int) -> Array:
    height, width = plane.shape
    cells = np.pad(plane, ((0, -height % factor), (0, -width % factor)))
    return cells.reshape(cells.shape[0] // factor, factor, -1, factor).mean((1, 3))


def _sums_around(plane: Array, radius: int) -> Array:
    """Sums of the squares of ``2 * radius + 1`` cells around each; beyond the picture there is nothing."""
    padded = np.pad(plane, radius)
    found: Array = sliding_window_view(padded, (2 * radius + 1,) * 2).sum((2, 3))
    return found

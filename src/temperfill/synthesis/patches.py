"""Patches of a picture, and their few most telling dimensions."""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from temperfill.arrays import Array
from temperfill.distances import nothing
from temperfill.synthesis.draws import Draws, Numbers

Mask = NDArray[np.bool_]

BAND = 4096
"""Patches that are described at once, so that they stay in the cache."""
EXAMPLES = 3000
"""Patches, at most, of which the axes are found."""
_SUMMED = 128  # patches whose products are summed at once


def around(hole: Mask, margin: int) -> tuple[slice, slice]:
    """The part of a picture around its hole."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )


def own_places(plane: Mask) -> Numbers:
    """(H, W, 2), row and column of each pixel."""
    places = np.empty((*plane.shape, 2), np.int64)
    places[..., 0], places[..., 1] = np.arange(plane.shape[0])[:, None], np.arange(plane.shape[1])
    return places


def whole_patches(usable: Mask, side: int) -> Mask:
    """(H, W) bool: centres of patches, ``side`` pixels long, that lie in the picture and are usable all over."""
    radius, (height, width) = side // 2, usable.shape
    rows, columns = max(height - side + 1, 0), max(width - side + 1, 0)
    wide = np.ones((height, columns), bool)
    for step in range(side):
        wide &= usable[:, step : step + columns]
    whole = np.zeros(usable.shape, bool)
    inner = whole[radius : radius + rows, radius : radius + columns]
    inner[...] = True
    for step in range(side):
        inner &= wide[step : step + rows]
    return whole


def patch_basis(image: Array, centres: Numbers, side: int, dimensions: int, draws: Draws) -> Array:
    """The axes along which patches of a picture differ most.

    Args:
        image: (3, H, W).
        centres: (N,) of whole patches, numbered row by row.
        side: of a patch, pixels, odd.
        dimensions: of the projection, D.
        draws: of the patches that are looked at.

    Returns:
        (D, 3, side, side); distances between projections are root mean squares over the pixels of a patch.
    """
    width, radius = image.shape[2], side // 2
    some = draws.some(centres, EXAMPLES)
    steps = np.arange(side) - radius
    steps = (steps[:, None] * width + steps).ravel()
    rows = image.reshape(3, -1)[:, some[:, None] + steps]  # (3, n, p * p)
    rows = rows.transpose(1, 0, 2).reshape(len(some), -1).astype(np.float64)
    rows -= rows.mean(0)
    # In blocks that BLAS sums in one order on any number of threads.
    together = sum(block.T @ block for block in np.split(rows, range(_SUMMED, len(rows), _SUMMED)))
    _, axes = np.linalg.eigh(together)
    basis: Array = (axes[:, -dimensions:].T.reshape(dimensions, 3, side, side) / side).astype(np.float32)
    return basis


def describe(image: Array, basis: Array, beat: Callable[[], None] = nothing) -> Array:
    """(H * W, D): the patch around every pixel; the picture's edges are repeated.

    In bands of rows, to save memory; ``beat`` is called before each, and what it raises ends the work.
    """
    side, (height, width) = basis.shape[-1], image.shape[1:]
    padded = np.pad(image.transpose(1, 2, 0), ((side // 2,) * 2, (side // 2,) * 2, (0, 0)), "edge")
    # Rows of patches lie in one piece each, with their colours side by side.
    patches = sliding_window_view(padded.reshape(len(padded), -1), (side, 3 * side))[:, ::3]
    weights = np.ascontiguousarray(basis.transpose(2, 3, 1, 0).reshape(-1, len(basis)))
    found = np.empty((height * width, len(basis)), np.float32)
    rows = max(BAND // width, 1)
    for top in range(0, height, rows):
        beat()
        band = patches[top : top + rows].reshape(-1, len(weights))
        np.matmul(band, weights, out=found[top * width : top * width + len(band)])
    return found

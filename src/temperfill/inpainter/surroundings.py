"""What holes get from the colours around them, where a network knows too little or nothing.

Networks have learned from pictures of some size, with holes that mostly lie between known pixels. A strip of a few
pixels along the border of a scan is seen from one side only, and in a tiny picture hardly anything is seen. There the
colours around are continued into the hole, from its rim inwards, by weighted means of what is near, as in Telea's
method (2004) without its gradients. What a network drew elsewhere is kept within the colours around it.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from temperfill import regions
from temperfill.distances import nearest_known

Array = NDArray[np.float32]
Hole = NDArray[np.bool_]

TINY = 12
"""Side of a picture, pixels, below which networks are not asked."""
RIM = 6
"""Depth of a strip along the border, pixels, up to which networks are not asked; deeper they are as good as means."""
LONG = 32
"""Shortest such strip, pixels, or half of the side where that is less; a shorter one is a speck or a line's end."""
AROUND = 64
"""Pixels around a part of a hole whose colours bound what was drawn in it, or a quarter of its side if that is more."""
GREY = 0.5
"""Value of every pixel where nothing is known."""
_RADIUS = 3  # pixels that a mean looks at
LAYERS = 8
"""Depth up to which means are taken; what lies deeper repeats the nearest of them."""


def continue_colours(rgb: Array, hole: Hole, target: Hole) -> None:
    """Continues, in place, the colours around a hole into it.

    Args:
        rgb: (H, W, 3) in [0, 1].
        hole: (H, W), True = missing; what it holds is not looked at.
        target: (H, W), True = to be filled; a part of the hole.
    """
    if not target.any():  # the usual case, and distances in a large picture take seconds
        return
    if hole.all():
        rgb[target] = GREY
        return
    distance, *nearest = nearest_known(hole)
    depth = np.ceil(distance).astype(np.int64)
    rgb[target] = rgb[nearest[0][target], nearest[1][target]]
    seen = ~hole
    for layer in range(1, min(int(depth[target].max()), LAYERS) + 1):
        rows, columns = np.nonzero(target & (depth == layer))
        total, weight = _near(rgb, seen, rows, columns)
        found = weight > 0  # not where other missing pixels lie between: there the nearest colour stays
        rgb[rows[found], columns[found]] = total[found] / weight[found, None]
        seen[rows, columns] = True
    deep = target & (depth > LAYERS)
    if deep.any():
        _, rows, columns = nearest_known(~seen)
        rgb[deep] = rgb[rows[deep], columns[deep]]


def _near(rgb: Array, seen: Hole, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[Array, Array]:
    """Sums (N, 3) of the seen colours near N pixels, weighted by one over the cubed distance, and sums of weights."""
    total, weights = np.zeros((len(rows), 3), np.float32), np.zeros(len(rows), np.float32)
    height, width = seen.shape
    for down in range(-_RADIUS, _RADIUS + 1):
        for across in range(-_RADIUS, _RADIUS + 1):
            squared = down**2 + across**2
            if not 0 < squared <= _RADIUS**2:
                continue
            y, x = rows + down, columns + across
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            y, x = y.clip(0, height - 1), x.clip(0, width - 1)
            weight = np.float32(squared**-1.5) * (inside & seen[y, x])
            total += weight[:, None] * rgb[y, x]
            weights += weight
    return total, weights


def rims(hole: Hole) -> Hole:
    """The long thin strips of a hole along the border of the picture.

    Args:
        hole: (H, W), True = missing.

    Returns:
        (H, W), True where the hole reaches at most ``RIM`` pixels from the border inwards, over ``LONG`` pixels.
    """
    found = np.zeros_like(hole)
    if hole[0].any() or hole[-1].any() or hole[:, 0].any() or hole[:, -1].any():
        for _ in range(2):  # the corners of a frame are seen once its sides are found
            left = hole & ~found
            for turns in range(4):
                _find_rim(np.rot90(left, turns), np.rot90(found, turns))
    return found


def _find_rim(left: Hole, found: Hole) -> None:
    """Adds what of a hole is a strip along the first row, to what was found, a view of which it gets."""
    strip = left[: RIM + 1]
    run = np.cumprod(strip, 0, dtype=np.int64).sum(0)
    thin = (run > 0) & (run <= RIM)
    joined = np.concatenate([[False], thin | found[0], [False]])
    starts, stops = np.flatnonzero(np.diff(joined.astype(np.int8)) == 1), np.flatnonzero(joined[:-1] & ~joined[1:])
    for start, stop in zip(starts, stops, strict=True):
        if stop - start < min(LONG, left.shape[1] // 2):
            thin[start:stop] = False
    depth = np.arange(len(strip))[:, None]
    found[: len(strip)] |= (depth < run) & thin


def bound(filled: Array, hole: Hole, known: Hole) -> None:
    """Keeps, in place, each channel of what was drawn within the known values around each part of the hole.

    A network far from what it learned draws colours that are nowhere around, in a plain picture above all.

    Args:
        filled: (H, W, 3).
        hole: (H, W), True = was drawn.
        known: (H, W), True = to be compared with.
    """
    for drawn, part, colours in parts_and_colours(filled, hole, known):
        # Where none are near, other parts of the hole lie between.
        compared = colours if len(colours) else filled[known]
        if len(compared):
            # By columns, as numpy is slow along the first axis of so narrow an array.
            low, high = ([extreme(column) for column in compared.T] for extreme in (np.min, np.max))
            np.clip(drawn, low, high, out=drawn, where=part[..., None])


def parts_and_colours(filled: Array, hole: Hole, known: Hole) -> Iterator[tuple[Array, Hole, Array]]:
    """Each part of a hole with the known colours around it.

    Args:
        filled: (H, W, 3).
        hole: (H, W), True = was drawn.
        known: (H, W), True = to be compared with.

    Yields:
        The view of ``filled`` (h, w, 3) that holds the part; (h, w), True = the part; (N, 3), the colours.
    """
    for top, left, part in regions.connected(hole):
        box = (top, left, top + part.shape[0], left + part.shape[1])
        around = regions.grow(box, max(AROUND, max(part.shape) // 4), hole.shape)
        ring = np.s_[around[0] : around[2], around[1] : around[3]]
        yield filled[box[0] : box[2], box[1] : box[3]], part, filled[ring][known[ring]]

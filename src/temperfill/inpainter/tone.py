"""Brings what was filled to the tone of what is around it.

A network gets the tone of a sky or a wall a little wrong, by less than it is punished for in training, and on a smooth
background that shows as the outline of the hole. Along the rim the difference between both sides is known; it is
extended into the hole as a mean of what the rim says, weighted by one over the cubed distance, and added there, as in
membrane interpolation for cloning (Farbman et al. 2009). Places count by how smooth both sides are: where edges or
texture meet the rim, a difference says nothing of the tone. A large difference is no tone either, but an edge that
the mask follows; such places speak for no change.
"""

import numpy as np
from numpy.typing import NDArray

from temperfill import regions
from temperfill.arrays import bilinear
from temperfill.distances import grown

SMOOTH = 0.05
"""Deviation of the colours on both sides, from which a place counts half as much as on a plain one."""
MOST = 0.15
"""Difference of both sides from which on it is believed no more."""
GRID = 128
"""Pixels on a side above which the change, which is smooth, is computed for blocks of pixels."""
_AROUND = 2  # pixels around a hole that are looked at

Array = NDArray[np.float32]
Wide = NDArray[np.float64]
Hole = NDArray[np.bool_]


def match_tone(filled: Array, hole: Hole, known: Hole) -> None:
    """Changes, in place, the tone of what was filled, by itself for every connected part of the hole.

    Args:
        filled: (H, W, 3) in [0, 1].
        hole: (H, W), True = was filled.
        known: (H, W), True = to be compared with; places where it touches the hole make the rim.
    """
    for top, left, part in regions.connected(hole):
        bottom, right = top + part.shape[0] + _AROUND, left + part.shape[1] + _AROUND
        before = [min(start, _AROUND) for start in (top, left)]
        near = np.s_[top - before[0] : bottom, left - before[1] : right]
        shown = filled[near]
        own = np.zeros(shown.shape[:2], bool)
        own[before[0] : before[0] + part.shape[0], before[1] : before[1] + part.shape[1]] = part
        change = _change(shown, own, known[near])
        if change is not None:
            np.add(shown, change, out=shown, where=own[..., None])
            np.clip(shown, 0, 1, out=shown, where=own[..., None])


def _change(filled: Array, hole: Hole, known: Hole) -> Array | None:
    """(H, W, 3) to be added, or None where there is no rim."""
    rows, columns = np.nonzero(grown(hole) & grown(known))
    if not len(rows):
        return None
    (mean, variance), (known_mean, known_variance) = (
        _statistics(filled, side, rows, columns) for side in (hole, known)
    )
    difference = known_mean - mean
    weight = 1 / (known_variance + variance + SMOOTH**2)
    believed = np.clip(1 - (np.abs(difference).max(0) / MOST) ** 4, 0, None) ** 2
    block = -(-max(hole.shape) // GRID)
    size = (-(-hole.shape[0] // block), -(-hole.shape[1] // block))
    cell = rows // block * size[1] + columns // block
    planes = (*difference * weight * believed, weight)
    maps = np.stack([np.bincount(cell, plane, size[0] * size[1]).reshape(size) for plane in planes])
    spread = _spread(maps)
    change = np.clip(spread[:3] / spread[3:], -MOST, MOST).astype(np.float32)
    if block > 1:
        change = bilinear(change, block)
    return change[:, : hole.shape[0], : hole.shape[1]].transpose(1, 2, 0)


def _spread(maps: Wide) -> Wide:
    """Sums over all places of maps (N, h, w), weighted by one over the cubed distance; in float64, as it gets small."""
    height, width = maps.shape[1:]
    size = [_fast(2 * length - 1) for length in (height, width)]
    y, x = (np.minimum(np.arange(length), length - np.arange(length)) for length in size)
    near = (y[:, None] ** 2 + x**2 + 0.25) ** -1.5
    transformed = np.fft.rfft2(maps, size, (1, 2)) * np.fft.rfft2(near)
    spread: Wide = np.fft.irfft2(transformed, size, (1, 2))[:, :height, :width]
    return spread


def _fast(length: int) -> int:
    """The next length whose transform is fast: it has no prime factor above 5."""
    while True:
        rest = length
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return length
        length += 1


def _statistics(values: Array, side: Hole, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> tuple[Wide, Wide]:
    """Means (3, N) and variances (N,), summed over channels, of one side's pixels in the 3x3 around places."""
    count, total, squares = np.zeros(len(rows)), np.zeros((3, len(rows))), np.zeros((3, len(rows)))
    height, width = side.shape
    for down in (-1, 0, 1):
        for across in (-1, 0, 1):
            y, x = rows + down, columns + across
            inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
            y, x = y.clip(0, height - 1), x.clip(0, width - 1)
            weight = inside & side[y, x]
            found = values[y, x].T
            count += weight
            total += found * weight
            squares += found**2 * weight
    mean = total / count
    variance: Wide = (squares / count - mean**2).clip(0).sum(0)
    return mean, variance

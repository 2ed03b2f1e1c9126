"""Brings what was filled to the tone of what is around it.

A network gets the tone of a sky or a wall a little wrong, by less than it is punished for in training, and on a smooth
background that shows as the outline of the hole. Along the rim the difference between both sides is known; it is
extended into the hole as a mean of what the rim says, weighted by one over the cubed distance, and added there, as in
membrane interpolation for cloning (Farbman et al. 2009). Places count by how smooth both sides are: where edges or
texture meet the rim, a difference says nothing of the tone.
"""

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy import ndimage, signal

from temperfill import regions

_SMOOTH = 0.05  # deviation of the colours on both sides, from which a place counts half as much as on a plain one
_MOST = 0.1  # change of tone: what differs by more is another thing and no other tone
_GRID = 256  # pixels on a side above which the change, which is smooth, is computed for blocks of pixels

Array = NDArray[np.float32]


def match_tone(filled: Array, hole: NDArray[np.bool_], known: NDArray[np.bool_]) -> None:
    """Changes, in place, the tone of what was filled.

    Args:
        filled: (H, W, 3) in [0, 1].
        hole: (H, W), True = was filled.
        known: (H, W), True = to be compared with; places where it touches the hole make the rim.
    """
    if not hole.any():
        return
    top, left, bottom, right = regions.bounds(hole)
    near = np.s_[max(top - 2, 0) : bottom + 2, max(left - 2, 0) : right + 2]
    change = _change(filled[near], hole[near], known[near])
    if change is not None:
        inside = hole[near]
        filled[near][inside] = np.clip(filled[near][inside] + change[inside], 0, 1)


def _change(filled: Array, hole: NDArray[np.bool_], known: NDArray[np.bool_]) -> Array | None:
    sides = [_statistics(filled, side) for side in (known, hole)]
    (known_mean, known_variance, known_count), (mean, variance, count) = sides
    rim = (known_count > 0) & (count > 0)
    if not rim.any():
        return None
    weight = rim / (known_variance + variance + _SMOOTH**2)
    difference = np.clip(known_mean - mean, -_MOST, _MOST)
    block = -(-max(rim.shape) // _GRID)
    maps = np.stack([_sums(plane, block) for plane in (*difference * weight, weight)])
    rows, columns = maps.shape[1:]
    y, x = np.mgrid[1 - rows : rows, 1 - columns : columns]
    near = ((x**2 + y**2 + 0.25) ** -1.5).astype(np.float32)
    spread = signal.fftconvolve(maps, near[None], mode="same", axes=(1, 2))
    change = torch.from_numpy(spread[:3] / np.maximum(spread[3:], np.finfo(np.float32).tiny))
    enlarged = F.interpolate(change[None], scale_factor=float(block), mode="bilinear", align_corners=False)
    height, width = hole.shape
    return enlarged[0, :, :height, :width].permute(1, 2, 0).numpy()


def _statistics(values: Array, side: NDArray[np.bool_]) -> tuple[Array, Array, Array]:
    """Means (3, h, w), variance summed over channels and count of one side's pixels in the 3x3 around each pixel."""
    own = side.astype(np.float32)
    planes = [values[..., channel] * own for channel in range(3)]
    sums = np.stack([*planes, *(plane**2 for plane in planes), own])
    for axis in (1, 2):
        sums = ndimage.convolve1d(sums, [1, 1, 1], axis, mode="constant")
    count = np.maximum(sums[6], 1)
    mean, square = sums[:3] / count, sums[3:6] / count
    return mean, (square - mean**2).clip(0).sum(0), sums[6]


def _sums(plane: Array, side: int) -> Array:
    """Sums over blocks of side x side; those at the end may be smaller."""
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % side), (0, -width % side)))
    blocks = padded.reshape(padded.shape[0] // side, side, padded.shape[1] // side, side)
    sums: Array = blocks.sum((1, 3))
    return sums

"""Distances from what is known, and connected parts, of masks (H, W).

Distances are Euclidean and exact, in pixels.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Hole = NDArray[np.bool_]
Numbers = NDArray[np.int64]
_PART = 1 << 15  # pixels whose distances are computed at once
_LINES = 8  # that are asked at once for the deepest pixel


def nothing() -> None:
    """A beat that ends nothing."""


def nearest_known(hole: Hole, beat: Callable[[], None] = nothing) -> tuple[NDArray[np.float64], Numbers, Numbers]:
    """The nearest pixel outside a hole, and how far it is.

    First along columns, then along rows, where the nearest column never moves back as one goes on (Meijster, Roerdink
    and Hesselink, A General Algorithm for Computing Distance Transforms in Linear Time, 2000): it is searched between
    those of the places before and after, at every second place, at every place between, and so on.

    Args:
        hole: (H, W), True = missing; something must be known.
        beat: called now and then; what it raises ends the work.

    Returns:
        Distances, rows and columns, (H, W) each; of known pixels 0 and their own.
    """
    height, width = hole.shape
    rows = _nearest_in_columns(hole, beat)
    columns = np.empty((height, width), np.int64)
    columns[:] = np.arange(width)
    distance = np.zeros((height, width))
    inside = np.flatnonzero(hole.any(1))
    number = max(_PART // width, 1)
    for start in range(0, len(inside), number):  # a few lines at a time, which stay in the cache
        beat()
        some = inside[start : start + number]
        distance[some], rows[some], columns[some] = _nearest_in_lines(some, rows)
    return distance, rows, columns


def depth(hole: Hole, beat: Callable[[], None] = nothing) -> NDArray[np.float64]:
    """(H, W), how far each pixel of a hole is from the nearest one outside, which there must be; 0 outside."""
    return nearest_known(hole, beat)[0]


def deepest(hole: Hole, beat: Callable[[], None] = nothing) -> float:
    """The largest :func:`depth` of a hole (H, W), outside which something must be known; 0 if nothing is missing.

    No pixel is deeper than its row and its column say, so only lines that may hold the deepest are looked at.
    """
    rows, columns = _nearest_in_columns(hole, beat), _nearest_in_columns(hole.T, beat).T
    height, width = hole.shape
    most = np.empty(height, np.int64)
    for row in range(height):
        down = np.where(rows[row] < 0, height + width, np.abs(rows[row] - row))
        across = np.where(columns[row] < 0, height + width, np.abs(columns[row] - np.arange(width)))
        most[row] = np.minimum(down, across).max()
    beat()
    found, order = 0.0, np.argsort(-most, kind="stable")
    for start in range(0, height, _LINES):
        beat()
        some = order[start : start + _LINES]
        if most[some[0]] <= found:
            break
        found = max(found, float(_nearest_in_lines(some, rows)[0].max()))
    return found


def label(parts: Hole) -> tuple[NDArray[np.int32], int]:
    """Numbers 8-connected parts from 1 on, in the order of their first pixels, row by row.

    Args:
        parts: (H, W).

    Returns:
        (H, W), 0 = none, and how many there are.
    """
    height, width = parts.shape
    outside = height * width
    number = np.full((height + 2, width + 2), outside, np.int64)
    number[1:-1, 1:-1] = np.where(parts, np.arange(outside).reshape(height, width), outside)
    before = None
    while before is None or not np.array_equal(number, before):
        before = number.copy()
        wide = np.minimum(np.minimum(number[:, :-2], number[:, 2:]), number[:, 1:-1])
        least = np.minimum(np.minimum(wide[:-2], wide[2:]), wide[1:-1])[parts]
        # Each part's first known pixel takes the smaller number over, and all that point to it follow.
        flat = np.append(number[1:-1, 1:-1].ravel(), outside)
        np.minimum.at(flat, flat[:-1].reshape(parts.shape)[parts], least)
        for _ in range(4):
            flat = flat[flat]
        number[1:-1, 1:-1] = flat[:-1].reshape(parts.shape)
    firsts, order = np.unique(number[1:-1, 1:-1][parts], return_inverse=True)
    labels = np.zeros(parts.shape, np.int32)
    labels[parts] = order + 1
    return labels, len(firsts)


def boxes_of(labels: NDArray[np.int32], count: int) -> list[tuple[int, int, int, int]]:
    """Top, left, bottom, right of every numbered part, the last two outside."""
    rows, columns = np.nonzero(labels)
    own = labels[rows, columns] - 1
    low, high = np.full((2, count), max(labels.shape), np.int64), np.zeros((2, count), np.int64)
    for axis, places in enumerate((rows, columns)):
        np.minimum.at(low[axis], own, places)
        np.maximum.at(high[axis], own, places + 1)
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in zip(*low, *high, strict=True)]


def grown(parts: Hole, corners: bool = True) -> Hole:
    """Parts with their neighbours: all eight of each pixel, or the four that share a side."""
    wide = parts.copy()
    wide[:, 1:] |= parts[:, :-1]
    wide[:, :-1] |= parts[:, 1:]
    source, found = wide if corners else parts, wide.copy()
    found[1:] |= source[:-1]
    found[:-1] |= source[1:]
    return found


def _nearest_in_columns(hole: Hole, beat: Callable[[], None]) -> Numbers:
    """(H, W), the nearest known row in the same column, the upper one of two; -1 where there is none.

    Row by row, as numpy accumulates slowly along the first axis.
    """
    height, width = hole.shape
    found = np.empty((height, width), np.int64)
    number = max(_PART // width, 1)
    line = np.full(width, -1)
    for row in range(height):
        line = np.where(hole[row], line, row)
        found[row] = line
    below = np.full(width, 3 * height)
    for row in reversed(range(height)):
        if row % number == 0:
            beat()
        below = np.where(hole[row], below, row)
        above = found[row]
        nearer = (below < height) & ((above < 0) | (below - row < row - above))
        above[nearer] = below[nearer]
    return found


def _nearest_in_lines(some: Numbers, rows: Numbers) -> tuple[NDArray[np.float64], Numbers, Numbers]:
    """Distances, rows and columns (N, W) of the nearest known pixels, of some lines, by those in the same columns."""
    height, width = rows.shape
    near = rows[some]
    far = np.square(some[:, None] - near)
    far[near < 0] = 4 * (height**2 + width**2)
    columns = _nearest_columns(far)
    found = np.take_along_axis(near, columns, 1)
    return np.sqrt(np.square(found - some[:, None]) + np.square(columns - np.arange(width))), found, columns


def _nearest_columns(far: Numbers) -> Numbers:
    """(N, W), in every line the column of the least sum of ``far`` and its squared distance, the first of several."""
    lines, width = far.shape
    span = 1 << (width - 1).bit_length()
    found = np.zeros((lines, width), np.int64)
    asked = np.zeros(1, np.int64)
    while span:
        low = np.where(asked >= span, found[:, np.maximum(asked - span, 0)], 0)
        after = asked + span
        high = np.where(after < width, found[:, np.minimum(after, width - 1)], width - 1)
        count = (high - low + 1).ravel()
        starts = np.concatenate([[0], np.cumsum(count)[:-1]])
        candidate = np.arange(int(count.sum())) - np.repeat(starts - low.ravel(), count)
        line = np.repeat(np.repeat(np.arange(lines), len(asked)), count)
        place = np.repeat(np.tile(asked, lines), count)
        cost = (far[line, candidate] + np.square(candidate - place)) * width + candidate
        found[:, asked] = (np.minimum.reduceat(cost, starts) % width).reshape(lines, -1)
        span //= 2
        asked = np.arange(span, width, max(2 * span, 1))
    return found

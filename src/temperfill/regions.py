"""Geometry of holes: growing them, ramps inside them, and the windows in which the holes of a large picture are filled.

Arrays are boolean (H, W); True = missing. Distances are Euclidean, in pixels.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from temperfill.distances import boxes_of, depth, label, nearest_known, nothing
from temperfill.geometry import Box

Hole = NDArray[np.bool_]

CONTEXT = 128
"""Known pixels wanted on each side of a hole."""
WINDOW = 512
"""Side that a window grows to where the picture allows."""
LIMIT = 768
"""Largest side of a window that is filled at full size."""
NEAR = 8
"""Holes nearer than about this many pixels count as connected, which bounds their number."""
_THIN = 48  # pixels from the middle of a hole to its rim, up to which a long hole is filled piece by piece


@dataclass(frozen=True)
class Window:
    """A part of the picture and the part of the hole that is filled in it.

    Attributes:
        box: of the part of the picture.
        hole: (h, w) of the box, True = to be filled here; other missing pixels of the box only stay hidden.
        cut_from: largest circle, pixels across, in the longer hole that this one was cut from; 0 where none was cut.
    """

    box: Box
    hole: Hole
    cut_from: float = field(default=0.0, kw_only=True)


def dilate(hole: Hole, radius: int, beat: Callable[[], None] = nothing) -> Hole:
    """Adds all pixels within ``radius`` of the hole; ``beat`` is called now and then, what it raises ends the work."""
    if radius == 0 or not hole.any() or hole.all():
        return hole
    result = hole.copy()
    for box in hole_boxes(hole, radius):
        near = _slices(grow(box, radius, hole.shape))
        result[near] |= depth(~hole[near], beat) <= radius
    return result


def feather(
    filled: NDArray[np.float32], image: NDArray[np.float32], hole: Hole, radius: int, avoid: Hole | None = None
) -> NDArray[np.float32]:
    """Fades, over ``radius`` pixels inside the rim of the hole, from the nearest known pixel to the result.

    Args:
        filled: (H, W, 3), the result.
        image: (H, W, 3), looked at outside the hole only.
        hole: (H, W).
        radius: of the ramp, pixels; known pixels never change.
        avoid: (H, W), True = known, but not to be faded from; None for nowhere.

    Returns:
        (H, W, 3); ``filled`` itself where there is nothing to fade from.
    """
    if radius == 0 or not hole.any() or hole.all():
        return filled
    result = filled.copy()
    for box in hole_boxes(hole, radius):
        # Around a pixel of the box, what is nearer than the radius lies in here; further off the distance may be wrong.
        around = grow(box, radius, hole.shape)
        near, top, left = _slices(around), box[0] - around[0], box[1] - around[1]
        distance, *nearest = nearest_known(hole[near])
        own = np.zeros(distance.shape, bool)
        own[top : top + box[2] - box[0], left : left + box[3] - box[1]] = True
        ramp = hole[near] & own & (distance <= radius)
        if avoid is not None:
            ramp &= ~avoid[near][nearest[0], nearest[1]]
        weight = (distance[ramp] / (radius + 1)).astype(np.float32)[:, None]
        known = image[near][nearest[0][ramp], nearest[1][ramp]]
        result[near][ramp] = weight * filled[near][ramp] + (1 - weight) * known
    return result


def windows(hole: Hole, multiple: int = 4, beat: Callable[[], None] = nothing) -> list[Window]:
    """Divides the hole of a picture into parts, each with the window that it is to be filled in.

    Holes whose windows overlap are filled together while that window stays within LIMIT. What is thin of a longer hole
    is cut into pieces, in order along it; each thick part of it gets one window, for the caller to shrink if it is
    large.

    Args:
        hole: (H, W).
        multiple: windows start at multiples of it, pixels.
        beat: called now and then; what it raises ends the work.

    Returns:
        Windows whose holes cover ``hole`` and do not overlap.
    """
    labels, boxes = _label(hole)
    if not boxes:
        return []
    group_of = _group(boxes, hole.shape)
    groups: dict[int, list[int]] = {}
    for index, group in enumerate(group_of):
        groups.setdefault(group, []).append(index)
    lookup = np.concatenate([[-1], group_of])
    found = []
    for group, members in groups.items():
        box = _union([boxes[i] for i in members])
        part = hole[_slices(box)] & (lookup[_at_full_size(labels, box)] == group)
        pieces, cut_from = _pieces(box, part, beat)
        for piece_box, piece in pieces:
            beat()
            window = _window(piece_box, piece, hole.shape, multiple)
            found.append(Window(window.box, window.hole, cut_from=cut_from))
    return found


def connected(hole: Hole) -> Iterator[tuple[int, int, Hole]]:
    """Top, left and pixels of every connected part of a hole; parts nearer than about 8 pixels count as one."""
    labels, boxes = _label(hole)
    for number, box in enumerate(boxes, 1):
        part = hole[_slices(box)] & (_at_full_size(labels, box) == number)
        top, left, bottom, right = bounds(part)
        yield box[0] + top, box[1] + left, part[top:bottom, left:right]


def hole_boxes(hole: Hole, margin: int) -> list[Box]:
    """Boxes that together hold the hole, few where work on them with a margin around each is shared.

    Args:
        hole: (H, W).
        margin: pixels that are worked on around each box, which decides whether two boxes or one around both is less.

    Returns:
        Boxes in pixels; none for an empty hole.
    """
    boxes = np.empty((0, 4), np.int64)
    for box in map(np.array, _label(hole)[1]):
        merged = True
        while merged and len(boxes):  # a box that grew may swallow others
            union = np.concatenate([np.minimum(boxes[:, :2], box[:2]), np.maximum(boxes[:, 2:], box[2:])], 1)
            saved = _work(boxes, margin, hole.shape) + _work(box[None], margin, hole.shape)
            saved -= _work(union, margin, hole.shape)
            best = int(saved.argmax())
            merged = bool(saved[best] >= 0)
            if merged:
                box, boxes = union[best], np.delete(boxes, best, 0)
        boxes = np.concatenate([boxes, box[None]])
    return [(int(a), int(b), int(c), int(d)) for a, b, c, d in boxes]


def _work(boxes: NDArray[np.int64], margin: int, shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Pixels of boxes with their margins inside the picture."""
    sides = np.minimum(boxes[:, 2:] + margin, shape[:2]) - np.maximum(boxes[:, :2] - margin, 0)
    return sides[:, 0] * sides[:, 1]


def bounds(hole: Hole) -> Box:
    """The smallest box that holds a hole, which must not be empty."""
    rows, columns = np.flatnonzero(hole.any(1)), np.flatnonzero(hole.any(0))
    return int(rows[0]), int(columns[0]), int(rows[-1]) + 1, int(columns[-1]) + 1


def grow(box: Box, margin: int, shape: tuple[int, ...]) -> Box:
    """A box with a margin on each side, as far as the picture of this shape allows."""
    top, left, bottom, right = box
    return max(top - margin, 0), max(left - margin, 0), min(bottom + margin, shape[0]), min(right + margin, shape[1])


def _slices(box: Box) -> tuple[slice, slice]:
    return slice(box[0], box[2]), slice(box[1], box[3])


def _label(hole: Hole) -> tuple[NDArray[np.int32], list[Box]]:
    """Numbers the connected parts from 1 on, on a grid of coarse cells, and gives their boxes in pixels."""
    height, width = hole.shape
    padded = np.pad(hole, ((0, -height % NEAR), (0, -width % NEAR)))
    cells: Hole = padded.reshape(padded.shape[0] // NEAR, NEAR, padded.shape[1] // NEAR, NEAR).max((1, 3))
    labels, count = label(cells)
    found = [
        (top * NEAR, left * NEAR, min(bottom * NEAR, height), min(right * NEAR, width))
        for top, left, bottom, right in boxes_of(labels, count)
    ]
    return labels, found


def _at_full_size(labels: NDArray[np.int32], box: Box) -> NDArray[np.int32]:
    """Numbers of cells, for the pixels of a box that starts at a cell."""
    cells = labels[box[0] // NEAR : -(-box[2] // NEAR), box[1] // NEAR : -(-box[3] // NEAR)]
    return cells.repeat(NEAR, 0).repeat(NEAR, 1)[: box[2] - box[0], : box[3] - box[1]]


def _union(boxes: list[Box]) -> Box:
    tops, lefts, bottoms, rights = zip(*boxes, strict=True)
    return min(tops), min(lefts), max(bottoms), max(rights)


def _group(boxes: list[Box], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """The group of each box: greedily, one whose window overlaps while the common one stays within LIMIT."""
    group_of = np.zeros(len(boxes), np.int64)
    groups = np.empty((len(boxes), 4), np.int64)
    count = 0
    for index, box in enumerate(boxes):
        known = groups[:count]
        union = np.concatenate([np.minimum(known[:, :2], box[:2]), np.maximum(known[:, 2:], box[2:])], 1)
        starts = np.maximum(union[:, :2] - CONTEXT, 0)
        sides = np.minimum(union[:, 2:] + CONTEXT, shape[:2]) - starts
        gaps = np.maximum(known[:, :2] - box[2:], np.array(box[:2]) - known[:, 2:])
        fits = (sides <= LIMIT).all(1) & (gaps < 2 * CONTEXT).all(1)
        if fits.any():
            chosen = int(np.flatnonzero(fits)[gaps[fits].max(1).argmin()])
            groups[chosen] = union[chosen]
        else:
            chosen, count = count, count + 1
            groups[chosen] = box
        group_of[index] = chosen
    return group_of


def _pieces(box: Box, part: Hole, beat: Callable[[], None]) -> tuple[list[tuple[Box, Hole]], float]:
    """The part of the hole in a box, taken apart if it is long: what is thin along a grid, what is thick as it is.

    And how many pixels across the largest circle in it is, if it was taken apart.
    """
    step = LIMIT - 2 * CONTEXT
    if max(box[2] - box[0], box[3] - box[1]) <= step:
        return [(box, part)], 0.0
    thickness = depth(np.pad(part, 1), beat)[1:-1, 1:-1]
    # Pixels near to where the rim is far away: corners and short tails belong to the bulk.
    thick = part & dilate(thickness > _THIN, 2 * _THIN, beat)
    thin = part & ~thick
    found = []
    for y in range(0, part.shape[0], step // 2):
        for x in range(0, part.shape[1], step // 2):
            found += _cut(box[0] + y, box[1] + x, thin[y : y + step // 2, x : x + step // 2])
    # Last, so that the thin parts around them are known.
    labels, boxes = _label(thick)
    for number, inside in enumerate(boxes, 1):
        own = thick[_slices(inside)] & (_at_full_size(labels, inside) == number)
        found += _cut(box[0] + inside[0], box[1] + inside[1], own)
    return found, 2 * float(thickness.max())


def _cut(top: int, left: int, piece: Hole) -> list[tuple[Box, Hole]]:
    """A piece of the hole that starts at a place, without its empty rim; nothing if all of it is empty."""
    if not piece.any():
        return []
    inside = bounds(piece)
    return [((top + inside[0], left + inside[1], top + inside[2], left + inside[3]), piece[_slices(inside)])]


def widen(window: Window, shape: tuple[int, ...], side: int, multiple: int, context: int = 0) -> Window:
    """The same hole in a window with context on each side, at least ``side`` pixels long, where the picture allows."""
    return _window(window.box, window.hole, shape, multiple, context, side)


def _window(
    box: Box, part: Hole, shape: tuple[int, ...], multiple: int, context: int = CONTEXT, side: int = WINDOW
) -> Window:
    """The window of a part: with context on each side, and at least ``side`` long where the picture allows."""
    starts, stops = [], []
    for axis in range(2):
        low, high, size = box[axis], box[axis + 2], shape[axis]
        length = max(high - low + 2 * context + multiple, side)
        length = min(length + -length % multiple, size)
        start = min(max((low + high - length) // 2, 0), size - length)
        stop = size if start + length == size else start - start % multiple + length
        starts.append(start - start % multiple)
        stops.append(stop)
    hole = np.zeros((stops[0] - starts[0], stops[1] - starts[1]), bool)
    hole[box[0] - starts[0] : box[2] - starts[0], box[1] - starts[1] : box[3] - starts[1]] = part
    return Window((starts[0], starts[1], stops[0], stops[1]), hole)

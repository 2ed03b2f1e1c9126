"""Fills a picture of any size with an exported model; needs NumPy and whatever runs the model, and no other file.

Small pictures go to the model whole, larger ones in windows (``temperfill.inpainter.plan``), which bounds the memory.
The service's page has the same in ``host.js``. Planes are (H, W), boxes top, left, bottom, right.
"""

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import NDArray

WHOLE, CONTEXT, WINDOW, LIMIT, CELL = 640 * 640, 128, 512, 768, 4  # pixels; known ones around holes, sides of windows
THICK, SHRUNK, THIN, GRID = (
    128,
    96,
    48,
    8,
)  # holes thicker are shrunk to so much; half of what counts as thin; of labels
Plane = NDArray[np.bool_]
Box = tuple[int, int, int, int]
Run = Callable[[Mapping[str, NDArray[np.generic]]], NDArray[np.uint8]]


def fill(
    run: Run,
    image: NDArray[np.uint8],
    mask: NDArray[np.uint8],
    sketch: NDArray[np.uint8] | None = None,
    avoid: NDArray[np.uint8] | None = None,
    temperature: float = 1.0,
) -> NDArray[np.uint8]:
    """The picture with its hole filled; other pixels, and alpha, keep their bytes.

    Args:
        run: the inputs of the model by name to its output, such as ``lambda inputs: session.run(None, inputs)[0]``.
        image: (H, W, 3 or 4).
        mask: (H, W), above 127 = fill.
        sketch: (H, W), above 127 = line of any width, for models that take one.
        avoid: (H, W), above 127 = known, but nothing is copied from here.
        temperature: factor on the learned temperatures, 0.1 to 10.
    """
    result, missing = image.copy(), mask > 127
    for box, own, factor in windows(missing):
        inputs = {"image": result[at(box)], "mask": own * np.uint8(255)}
        inputs["hidden"] = (missing[at(box)] & ~own) * np.uint8(255)
        inputs |= {"temperature": np.array([temperature], np.float32), "factor": np.array([factor], np.int64)}
        for name, given in (("sketch", sketch), ("avoid", avoid)):
            inputs[name] = np.zeros((1, 1), np.uint8) if given is None else given[at(box)]
        result[at(box)] = run({name: np.ascontiguousarray(plane) for name, plane in inputs.items()})
        missing[at(box)][own] = False
    return result


def windows(hole: Plane) -> list[tuple[Box, Plane, int]]:
    """Box, the hole that is filled in it, and by how much it is shrunk first (0: the model finds out), in order."""
    size = hole.shape
    if hole.size <= WHOLE and max(size) <= 2 * LIMIT:
        return [((0, 0, size[0], size[1]), hole, 0)] if hole.any() else []
    found = []
    for box, part in [piece for group in groups(hole) for piece in pieces(*group)]:
        window = surroundings(box, size, 2 * CONTEXT + CELL, WINDOW)
        across = 2 * float(squared(np.pad(part, 1), max(part.shape)).max()) ** 0.5  # largest circle in the hole
        factor = -int(-across // SHRUNK) if across > THICK else 1
        factor = max(factor, -(-max(window[2] - window[0], window[3] - window[1]) // (LIMIT + CELL)))
        if factor > 1:  # a shrunk window can afford more context
            window = surroundings(window, size, CELL, WINDOW * factor)
        own = np.zeros((window[2] - window[0], window[3] - window[1]), bool)
        own[at((box[0] - window[0], box[1] - window[1], box[2] - window[0], box[3] - window[1]))] = part
        found.append((window, own, factor))
    return in_order(found, hole)


def in_order(found: list[tuple[Box, Plane, int]], hole: Plane) -> list[tuple[Box, Plane, int]]:
    """Windows, those whose hole touches nothing known only after what lies between."""
    missing, ordered = hole.copy(), found[:0]
    while found:
        waiting, found = found, []
        for box, own, factor in waiting:
            wide = np.pad(own, 1)
            near = wide[:-2, 1:-1] | wide[2:, 1:-1] | wide[1:-1, :-2] | wide[1:-1, 2:]
            touches = bool((near & ~missing[at(box)]).any())
            missing[at(box)][own] &= not touches
            (ordered if touches else found).append((box, own, factor))
        if len(found) == len(waiting):  # nothing is known at all
            return ordered + found
    return ordered


def groups(hole: Plane) -> list[tuple[Box, Plane]]:
    """Parts of a hole that are filled in one window: those whose windows overlap, while theirs stays small enough."""
    found: list[tuple[Box, list[tuple[Box, Plane]]]] = []
    for box, part in parts(hole):
        best, nearest, joined = len(found), 2 * CONTEXT, box
        for number, (old, _) in enumerate(found):
            union = (min(old[0], box[0]), min(old[1], box[1]), max(old[2], box[2]), max(old[3], box[3]))
            sides = [min(union[k + 2] + CONTEXT, hole.shape[k]) - max(union[k] - CONTEXT, 0) for k in (0, 1)]
            gap = max(old[0] - box[2], old[1] - box[3], box[0] - old[2], box[1] - old[3])
            if max(sides) <= LIMIT and gap < nearest:
                best, nearest, joined = number, gap, union
        members = found[best][1] if best < len(found) else []
        found[best : best + 1] = [(joined, [*members, (box, part)])]
    result = []
    for union, members in found:
        whole = np.zeros(hole.shape, bool)
        for box, part in members:
            whole[at(box)] |= part
        result.append((union, whole[at(union)]))
    return result


def parts(hole: Plane) -> list[tuple[Box, Plane]]:
    """Connected parts, those nearer than about a cell of the grid as one: boxes of whole cells, and what is in them."""
    height, width = hole.shape
    cells = np.pad(hole, ((0, -height % GRID), (0, -width % GRID)))
    left, found = np.pad(cells.reshape(len(cells) // GRID, GRID, -1, GRID).any((1, 3)), 1), []
    for first in np.argwhere(left):
        members = [tuple(first)] if left[tuple(first)] else []
        for y, x in members:  # grows meanwhile
            members += [(y - 1 + v, x - 1 + u) for v, u in np.argwhere(left[y - 1 : y + 2, x - 1 : x + 2])]
            left[y - 1 : y + 2, x - 1 : x + 2] = False
        if members:
            own = np.zeros(left.shape, bool)
            own[tuple(np.array(members).T)] = True
            whole = own[1:-1, 1:-1].repeat(GRID, 0).repeat(GRID, 1)[:height, :width]
            found.append((bounds(whole), (whole & hole)[at(bounds(whole))]))
    return found


def pieces(box: Box, part: Plane) -> list[tuple[Box, Plane]]:
    """A part of a hole taken apart if it is long: what is thin along a grid, what is thick as it is, that one last."""
    half = LIMIT // 2 - CONTEXT
    if max(part.shape) <= 2 * half:
        return [(box, part)]
    bulk = squared(np.pad(part, 1), THIN + 1)[1:-1, 1:-1] > THIN**2
    thick = part & (squared(~bulk, 2 * THIN + 1) <= (2 * THIN) ** 2) if bulk.any() else bulk
    corners = [(y, x) for y in range(0, part.shape[0], half) for x in range(0, part.shape[1], half)]
    found = [(y, x, (part & ~thick)[y : y + half, x : x + half]) for y, x in corners]
    found += [(inside[0], inside[1], own) for inside, own in parts(thick)]
    ends = [(box[0] + y, box[1] + x, bounds(own), own) for y, x, own in found if own.any()]
    return [((y + e[0], x + e[1], y + e[2], x + e[3]), own[at(e)]) for y, x, e, own in ends]


def surroundings(box: Box, size: tuple[int, ...], context: int, side: int) -> Box:
    """A box with this much context, and at least ``side`` long where a picture of this size allows."""
    lengths = [min(-(-max(box[k + 2] - box[k] + context, side) // CELL) * CELL, size[k]) for k in (0, 1)]
    starts = [min(max((box[k] + box[k + 2] - lengths[k]) // 2, 0), size[k] - lengths[k]) for k in (0, 1)]
    stops = [starts[k] + lengths[k] - (starts[k] % CELL if starts[k] + lengths[k] < size[k] else 0) for k in (0, 1)]
    return starts[0] // CELL * CELL, starts[1] // CELL * CELL, stops[0], stops[1]


def squared(plane: Plane, most: int) -> NDArray[np.float32]:
    """Squared distances to the nearest place that is False, right up to ``most`` pixels."""
    places = np.arange(len(plane), dtype=np.float32)[:, None]
    before = np.maximum.accumulate(np.where(plane, np.float32(-1e4), places), 0)
    after = np.minimum.accumulate(np.where(plane, np.float32(2e4), places)[::-1], 0)[::-1]
    found = np.minimum(places - before, after - places) ** 2
    for step in range(1, 2 * most, 2):  # from pixel to pixel along rows, the square grows by 1, 3, 5 ...
        near = found.copy()
        np.minimum(near[:, 1:], found[:, :-1] + step, out=near[:, 1:])
        np.minimum(near[:, :-1], found[:, 1:] + step, out=near[:, :-1])
        if np.array_equal(near, found):
            break
        found = near
    return found


def bounds(hole: Plane) -> Box:
    """The smallest box that holds a hole, which must not be empty."""
    (top, bottom), (left, right) = (np.flatnonzero(hole.any(axis))[[0, -1]].tolist() for axis in (1, 0))
    return top, left, bottom + 1, right + 1


def at(box: Box) -> tuple[slice, slice]:
    """The place of a box, to take from planes."""
    return slice(box[0], box[2]), slice(box[1], box[3])

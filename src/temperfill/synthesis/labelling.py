"""Which offset every cell of a hole is copied along, in a picture small enough to weigh all of them at once.

Most patches of a photograph are alike to others along a few offsets (He and Sun, Statistics of Patch Offsets for Image
Completion, ECCV 2012). These, and those that the guide asks for, are the labels. A cell's label is the shift along
which it is copied (Pritch et al., Shift-Map Image Editing, ICCV 2009); two neighbours with different shifts cost what
is seen at the seam. The sum is made small by belief propagation, whose messages sweep over rows and columns.
"""

from collections.abc import Callable

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from temperfill.arrays import Array
from temperfill.distances import depth, nothing
from temperfill.synthesis.detail import RIM, expected_detail
from temperfill.synthesis.draws import Draws, Numbers
from temperfill.synthesis.filters import blur, gradients
from temperfill.synthesis.patches import Mask, describe, patch_basis, whole_patches

FREQUENT = 60
"""Offsets that known patches have in common most often."""
WANTED = 30
"""Offsets that the cells of the hole ask for by the guide."""
SAMPLED = 1500
"""Known patches whose offsets are counted."""
SEARCHED = 15_000
"""Known patches, at most, among which the most alike is searched."""
SWEEPS = 3
"""Passes of messages down, up, right and left."""
MOST_APART = 0.05
"""Squared distance of colours from the guide above which it is counted no further."""
SMOOTH = 1.5
"""Deviation, pixels, of the blur in which copies are compared with the guide."""
DETAIL = 0.015
"""Cost of a source with e times the detail that is expected, in mean square; with a part of it likewise."""
MOST_DETAIL = 4.0
"""Squared logarithm of that ratio above which it is counted no further."""
FORBIDDEN = 10.0
"""Cost of a label that would copy what is not known."""
BLOCK = 256
"""Cells whose seams are weighed at once."""
_BELL = np.array([1, 2, 4, 2, 1])  # whole numbers, so that equal ones stay equal
_ASKED = 64  # queries that are compared with all keys at once
_SIDE = 7
_DIMENSIONS = 16


def label(
    image: Array,
    hole: Mask,
    usable: Mask,
    detail: Array,
    draws: Draws,
    beat: Callable[[], None] = nothing,
) -> Numbers:
    """Chooses an offset for every cell of the hole.

    Args:
        image: (3, h, w) in [0, 1], the guide in the hole.
        hole: (h, w) bool.
        usable: (h, w) bool, what may be copied from; nothing of the hole.
        detail: (h, w) of :func:`temperfill.synthesis.detail.detail_of_cells`.
        draws: of the patches that are looked at.
        beat: called now and then; what it raises ends the work.

    Returns:
        (h, w, 2) of rows and columns to go from a cell to its source; zero outside the hole.
    """
    smooth = blur(image, np.ones_like(image[:1]), SMOOTH)
    offsets = _offsets(image, smooth, hole, usable, draws, beat)
    cells = np.argwhere(hole)
    costs, seams = _costs(image, smooth, hole, usable, cells, offsets, beat)
    costs += _lack_of_detail(detail, hole, cells, offsets)
    chosen = _propagate(costs, seams, _neighbours(hole, cells), cells, beat)
    result = np.zeros((*hole.shape, 2), np.int64)
    result[hole] = offsets[chosen]
    return result


def _offsets(
    image: Array,
    smooth: Array,
    hole: Mask,
    usable: Mask,
    draws: Draws,
    beat: Callable[[], None],
) -> Numbers:
    """(K, 2) candidates: the most frequent between known patches near the hole, and what the guide asks for."""
    width = hole.shape[1]
    sources = np.flatnonzero(whole_patches(usable, _SIDE))
    cells = np.flatnonzero(hole)
    rows, columns = cells // width, cells % width
    size = int(max(rows.max() - rows.min(), columns.max() - columns.min())) + 1
    near = _within(hole, size // 2).ravel()[sources]
    asked = _some(sources[near], SAMPLED, draws)
    known = _some(sources, SEARCHED, draws)

    described = describe(image, patch_basis(image, sources, _SIDE, _DIMENSIONS, draws), beat)
    found = _nearest(described[asked], described[known], asked, known, width, max(6, size // 5), beat)
    frequent = _peaks(asked, known[found], hole.shape, FREQUENT)
    described = describe(smooth, patch_basis(smooth, sources, _SIDE, _DIMENSIONS, draws), beat)
    found = _nearest(described[cells], described[known], cells, known, width, 0, beat)
    guided = _peaks(cells, known[found], hole.shape, WANTED)
    return np.unique(np.concatenate([frequent, guided]), axis=0)


def _within(hole: Mask, reach: int) -> Mask:
    """(h, w): no more than ``reach`` rows and columns from a cell of the hole."""
    padded = np.pad(hole, reach + 1).cumsum(0).cumsum(1)
    side = 2 * reach + 1
    return padded[side:, side:] - padded[:-side, side:] - padded[side:, :-side] + padded[:-side, :-side] > 0


def _some(items: Numbers, most: int, draws: Draws) -> Numbers:
    return items if len(items) <= most else draws.some(items, most)


def _nearest(
    queries: Array, keys: Array, asked: Numbers, known: Numbers, width: int, banned: int, beat: Callable[[], None]
) -> Numbers:
    """For every query the key at the smallest distance that lies ``banned`` pixels away or more; blockwise."""
    found = np.zeros(len(asked), np.int64)
    squares, transposed = np.square(keys).sum(1) / 2, np.ascontiguousarray(keys.T)
    rows, columns = (part.astype(np.int32) for part in np.divmod(known, width))
    for start in range(0, len(asked), _ASKED):
        beat()
        some = slice(start, start + _ASKED)
        score = queries[some] @ transposed
        score -= squares
        if banned:
            own_rows, own_columns = (part.astype(np.int32)[:, None] for part in np.divmod(asked[some], width))
            score[(np.abs(rows - own_rows) < banned) & (np.abs(columns - own_columns) < banned)] = -np.inf
        found[some] = score.argmax(1)
    return found


def _peaks(places: Numbers, sources: Numbers, shape: tuple[int, ...], number: int) -> Numbers:
    """(n, 2) offsets from places to sources that are most frequent, the counts smoothed over two pixels.

    Of equally frequent ones the shortest.
    """
    height, width = shape
    rows, columns = sources // width - places // width, sources % width - places % width
    side = 2 * width + 1
    counts = np.bincount((rows + height) * side + columns + width, minlength=(2 * height + 1) * side)
    smooth = counts.reshape(-1, side)
    for border, axis in ((((2, 2), (0, 0)), 0), (((0, 0), (2, 2)), 1)):
        smooth = sliding_window_view(np.pad(smooth, border), 5, axis) @ _BELL
    highest = sliding_window_view(sliding_window_view(np.pad(smooth, 2), 5, 0).max(-1), 5, 1).max(-1)
    peaks = np.argwhere((smooth == highest) & (smooth > 0))
    frequency, offsets = smooth[peaks[:, 0], peaks[:, 1]], peaks - (height, width)
    return offsets[np.lexsort((np.square(offsets).sum(1), -frequency))[:number]]


def _costs(
    image: Array,
    smooth: Array,
    hole: Mask,
    usable: Mask,
    cells: Numbers,
    offsets: Numbers,
    beat: Callable[[], None],
) -> tuple[Array, Array]:
    """(N, K) of labels alone, and (N, K, K) of what a cell shows of a seam between two labels."""
    features = np.ascontiguousarray(np.concatenate([image, *gradients(image)]).reshape(9, -1).T)
    source, inside = _at(cells[:, None] + offsets, hole.shape)
    copyable = inside & whole_patches(usable, 3).ravel()[source]
    seams = np.empty((len(cells), len(offsets), len(offsets)), np.float32)
    for start in range(0, len(cells), BLOCK):
        beat()
        some = seams[start : start + BLOCK]
        copies = features[source[start : start + BLOCK]]  # (n, K, 9)
        squares = np.square(copies).sum(-1)
        np.matmul(copies * np.float32(-2), copies.transpose(0, 2, 1), out=some)
        some += squares[:, :, None]
        some += squares[:, None, :]
        np.maximum(some, 0, out=some)
    wanted = smooth.reshape(3, -1).T
    offered = np.ascontiguousarray(blur(image, usable[None].astype(np.float32), SMOOTH).reshape(3, -1).T)
    place = cells[:, 0] * hole.shape[1] + cells[:, 1]
    apart = np.minimum(np.square(offered[source] - wanted[place][:, None]).sum(-1), MOST_APART)
    costs = np.where(copyable, apart, np.float32(FORBIDDEN))
    colours = features[:, :3]
    for step in ((0, 1), (0, -1), (1, 0), (-1, 0)):
        rim, within = _at(cells + step, hole.shape)
        known = within & ~hole.ravel()[rim]
        beyond, _ = _at(cells[known, None] + step + offsets, hole.shape)
        costs[known] += 2 * np.square(colours[beyond] - colours[rim[known]][:, None]).sum(-1)
    return costs, seams


def _lack_of_detail(detail: Array, hole: Mask, cells: Numbers, offsets: Numbers) -> Array:
    """(N, K): without it, smooth sources win, as they have the smallest seams and are like a smooth guide."""
    expected = expected_detail(detail, (depth(~hole) <= RIM) & ~hole, cells)[:, None]
    source, _ = _at(cells[:, None] + offsets, hole.shape)
    apart = np.minimum(np.square(detail.ravel()[source] - expected), MOST_DETAIL)
    return np.float32(DETAIL) * np.nan_to_num(apart)


def _at(places: Numbers, shape: tuple[int, ...]) -> tuple[Numbers, Mask]:
    """Numbers of places (..., 2), clamped to the picture, and which of them lie in it."""
    height, width = shape
    rows, columns = places[..., 0], places[..., 1]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    return rows.clip(0, height - 1) * width + columns.clip(0, width - 1), inside


def _neighbours(hole: Mask, cells: Numbers) -> list[Numbers]:
    """For every cell the number of the one above, below, left and right; the number of cells where there is none."""
    numbers = np.full((hole.shape[0] + 2, hole.shape[1] + 2), len(cells))
    numbers[1:-1, 1:-1][hole] = np.arange(len(cells))
    rows, columns = (cells + 1).T
    return [numbers[rows + down, columns + right] for down, right in ((-1, 0), (1, 0), (0, -1), (0, 1))]


def _propagate(
    costs: Array, seams: Array, neighbours: list[Numbers], cells: Numbers, beat: Callable[[], None]
) -> Numbers:
    """(N,) labels of a small sum of costs and seams: min-sum belief propagation, sweeping to and fro."""
    number, labels = costs.shape
    messages = np.zeros((4, number + 1, labels), np.float32)  # from above, below, left and right; the last is no cell
    orders = []
    for axis in (0, 1):
        order = cells[:, axis].argsort(kind="stable")
        lines = np.split(order, np.flatnonzero(np.diff(cells[order, axis])) + 1)
        orders += [lines, lines[::-1]]
    for _ in range(SWEEPS):
        for direction, lines in enumerate(orders):
            incoming = [way for way in range(4) if way != direction ^ 1]
            for line in lines:
                beat()
                to = line[neighbours[direction][line] < number]
                sender = neighbours[direction][to]
                message = seams[sender]
                message += seams[to]
                message += (costs[sender] + messages[incoming][:, sender].sum(0))[:, :, None]
                least = message.min(1)
                messages[direction, to] = least - least.min(1, keepdims=True)
    return (costs + messages[:, :number].sum(0)).argmin(1)

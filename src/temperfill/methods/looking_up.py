"""The attention of our network by numpy: what is known is copied into a hole, patch by patch.

It is the function of :class:`temperfill.attention.MHTMA` (paper, section III-C), with fewer products. The cosine of two
patches is a sum over their cells, and neighbouring patches share cells. So cells are multiplied once, and the products
are added along diagonals. Copied patches overlap, and each cell is the mean of the patches that cover it. So weights of
patches are added along diagonals likewise, and cells are weighted once.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from temperfill.arrays import Array
from temperfill.distances import grown
from temperfill.extras import cores
from temperfill.geometry import Box

Cells = NDArray[np.bool_]

COLDEST = 2e-4
"""Least temperature (:data:`temperfill.attention.scores.COLDEST`)."""
TABLE = 3 * 2**18
"""Numbers of a table of queries and keys, about; a thread holds nine of them."""
NARROWEST, WIDEST = 16, 64
"""Queries of a table."""
SMALL = 8
"""Side of what is not divided, cells."""


class Memory(NamedTuple):
    """What all queries share.

    Attributes:
        embedded: (heads, c, h, w), the map that is matched.
        detail: (E, h, w), carried from the middle of patches.
        usable: (h, w), True = the patch around this cell may be copied from.
        side: of patches, cells; odd.
    """

    embedded: Array
    detail: Array
    usable: Cells
    side: int


def memory_of(embedded: Array, detail: Array, taken: Cells, side: int) -> Memory:
    """What is known of a picture.

    Args:
        embedded: (heads, c, h, w).
        detail: (E, h, w).
        taken: (h, w), True = missing, or not to be copied from (Eq. 8).
        side: of patches, cells; odd.
    """
    return Memory(embedded, detail, ~spread(taken, side // 2) & _whole(taken.shape, side), side)


def spread(cells: Cells, reach: int) -> Cells:
    """Cells (h, w), and those at most ``reach`` away from them."""
    for _ in range(reach):
        cells = grown(cells)
    return cells


def look_up(
    memory: Memory, temperatures: Array, cells: Cells, middles: Cells, on_step: Callable[[], None] | None = None
) -> tuple[Array, Array]:
    """Copies what is known into patches of a picture.

    Args:
        memory: of the picture.
        temperatures: (heads,), positive.
        cells: (h, w), True = the mean of the patches that cover this cell is wanted.
        middles: (h, w), True = the detail of the patch around this cell is wanted; a part of ``cells``.
        on_step: called now and then; what it raises ends the work.

    Returns:
        (heads * c, h, w) means and (heads, E, h, w) detail; without meaning where they are not wanted.
    """
    heads = [_Head(memory, number, float(heat)) for number, heat in enumerate(temperatures)]
    widest, margin = min(max(TABLE // cells.size, NARROWEST), WIDEST), 3 * (memory.side // 2)
    boxes = _parts(cells, (0, 0, *cells.shape), widest, margin)
    tasks = [_Task(head, middles, box) for box in boxes for head in heads]
    means = np.zeros((len(heads), *cells.shape, memory.embedded.shape[1]), np.float32)
    detail = np.zeros((len(heads), *cells.shape, len(memory.detail)), np.float32)
    for task, found in zip(tasks, _computed(tasks, on_step), strict=True):
        top, left, bottom, right = task.box
        at = (task.head.number, slice(top, bottom), slice(left, right))
        means[at], detail[at] = found
    covering = [_overlaps(length, memory.side) for length in cells.shape]
    means /= covering[0][:, None, None] * covering[1][:, None]
    return np.concatenate(means, -1).transpose(2, 0, 1), detail.transpose(0, 3, 1, 2)


def weigh(memory: Memory, temperatures: Array, cells: NDArray[np.int64]) -> Array:
    """The weight of every key for the patches around some cells (Eqs. 7-10).

    Args:
        memory: of the picture.
        temperatures: (heads,), positive.
        cells: (N,), numbered row by row.

    Returns:
        (heads, N, h * w), by the cell in the middle of a patch.
    """
    found = []
    for number, heat in enumerate(temperatures):
        head = _Head(memory, number, float(heat))
        reach = memory.side // 2
        padded = np.pad(memory.embedded[number], [(0, 0), (reach, reach), (reach, reach)])
        patches = np.lib.stride_tricks.sliding_window_view(padded, (memory.side, memory.side), (1, 2))
        patches = np.moveaxis(patches, 0, -1).reshape(memory.usable.size, -1)
        scores = patches[cells] @ patches.T
        head.soften(scores, head.queries.reshape(-1, 1)[cells])
        found.append(scores)
    return np.stack(found)


class _Head:
    """What the queries of one head share."""

    def __init__(self, memory: Memory, number: int, temperature: float) -> None:
        self.number, self.side = number, memory.side
        self.map = memory.embedded[number]
        lengths = _inverse_lengths(self.map, memory.side)
        self.queries = lengths / np.float32(max(temperature, COLDEST))
        none = not memory.usable.any()  # then all patches count alike
        usable = _whole(memory.usable.shape, memory.side) if none else memory.usable
        self.keys = np.where(memory.usable, lengths, np.float32(0)).reshape(1, -1)
        self.shut = np.where(usable, np.float32(0), np.float32(-np.inf)).reshape(1, -1)
        self.flat = self.map.reshape(len(self.map), -1)
        self.cells = np.ascontiguousarray(self.flat.T)
        margin = memory.side // 2 * 2
        self.around = np.pad(self.map.transpose(1, 2, 0), [(margin, margin), (margin, margin), (0, 0)])
        self.detail = np.ascontiguousarray(memory.detail.reshape(len(memory.detail), -1).T)

    def soften(self, scores: Array, factors: Array) -> None:
        """Makes weights (N, h * w) of products of patches, in place (Eqs. 7-10); factors (N, 1) are of the queries."""
        scores *= self.keys
        scores += self.shut
        scores -= scores.max(1, keepdims=True)
        scores *= factors
        np.exp(scores, out=scores)
        scores *= 1 / scores.sum(1, keepdims=True)


class _Diagonals:
    """Sums of tables of queries and keys over the cells of patches: along the diagonals of both.

    Tables of one row of queries come one after the other. Each is summed within its row at once, and the last few of
    these sums with each other when that is asked for.

    Args:
        queries: columns of the sums.
        keys: cells of the picture.
        width: of the picture, cells.
        side: of patches.
        room: what has room for it.
    """

    def __init__(self, queries: int, keys: int, width: int, side: int, room: "_Room") -> None:
        self.queries, self.keys, self.width, self.side = queries, keys, width, side
        reach = side // 2
        self.table = room.take(queries + 2 * reach, keys + 2 * reach)
        self.inner = self.table[:, reach : reach + keys]
        """What is to be summed, with as many more columns of queries on both sides as patches reach."""
        self.margin = reach * width
        self.rows = [room.take(queries, keys + 2 * self.margin) for _ in range(side)]

    def take(self) -> None:
        """Takes the table as that of the next row."""
        row = self._next()[:, self.margin : self.margin + self.keys]
        _add([self.table[step : step + self.queries, step : step + self.keys] for step in range(self.side)], row)

    def skip(self) -> None:
        """Takes nothing as that of the next row."""
        self._next().fill(0)

    def total(self, out: Array) -> None:
        """Writes the sum for the row in the middle of the last ``side``."""
        _add([row[:, step * self.width :][:, : self.keys] for step, row in enumerate(self.rows)], out)

    def _next(self) -> Array:
        self.rows.append(self.rows.pop(0))
        return self.rows[-1]


class _Room:
    """Memory for tables, zeros at first, taken in one piece, for which the system uses large pages.

    Args:
        size: numbers.
    """

    def __init__(self, size: int) -> None:
        self.memory, self.taken = np.zeros(size, np.float32), 0

    def take(self, rows: int, columns: int) -> Array:
        """A table of it."""
        start = self.taken
        self.taken += rows * columns
        return self.memory[start : self.taken].reshape(rows, columns)


class _Task(NamedTuple):
    """A box of cells that is looked up in one go.

    Attributes:
        head: whose map is matched.
        middles: (h, w), True = detail is wanted here.
        box: of cells.
    """

    head: _Head
    middles: Cells
    box: Box

    def compute(self) -> tuple[Array, Array]:
        """Sums of the weighted patches that cover the cells, and detail; (rows, columns, channels)."""
        head, reach, (first, left, end, right) = self.head, self.head.side // 2, self.box
        (channels, height, width), keys, number = head.map.shape, head.flat.shape[1], right - left
        room = _Room((2 * head.side + 3) * (number + 4 * reach) * (keys + 2 * reach * width))
        products = _Diagonals(number + 2 * reach, keys, width, head.side, room)
        weights = _Diagonals(number, keys, width, head.side, room)
        found, covered = weights.inner, room.take(number, keys)
        sums = np.empty((end - first, number, channels), np.float32)
        detail = np.zeros((end - first, number, head.detail.shape[1]), np.float32)
        columns = np.arange(left - reach, right + reach)
        beyond, inside = (columns < 0) | (columns >= width), columns.clip(0, width - 1)
        for row, cells in enumerate(head.around[first : end + 4 * reach, left : right + 4 * reach], first - 3 * reach):
            # A row of patches is known with the last of its cells, and a row of results with the last of its patches.
            np.matmul(cells, head.flat, out=products.inner)
            products.take()
            if row < first - reach:
                continue
            if 0 <= row < height:
                products.total(found)
                head.soften(found, head.queries[row, inside, None])
                found[beyond] = 0
                weights.take()
            else:
                weights.skip()
            wanted = np.flatnonzero(self.middles[row, left:right]) if first <= row < end else np.arange(0)
            if len(wanted):
                part = slice(wanted[0], wanted[-1] + 1)
                detail[row - first, part] = found[reach : reach + number][part] @ head.detail
            if row >= first + reach:
                weights.total(covered)
                np.matmul(covered, head.cells, out=sums[row - first - reach])
        return sums, detail


def _add(parts: list[Array], out: Array) -> None:
    np.add(parts[0], parts[1], out=out)
    for part in parts[2:]:
        out += part


def _computed(tasks: list[_Task], on_step: Callable[[], None] | None) -> Iterator[tuple[Array, Array]]:
    """The results of tasks, in their order; ``on_step`` is called before each."""
    threads = min(cores(), len(tasks))
    # Threads of BLAS wait for each other in many small products.
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(max(threads, 1)) as pool:
        results = [pool.submit(task.compute) for task in tasks] if threads > 1 else []
        try:
            for number, task in enumerate(tasks):
                if on_step is not None:
                    on_step()
                yield results[number].result() if results else task.compute()
        finally:
            pool.shutdown(cancel_futures=True)


def _parts(needed: Cells, box: Box, widest: int, margin: int) -> list[Box]:
    """Boxes that hold the needed cells of a box and little else, as each costs as much as one with a margin."""
    top, left, bottom, right = box
    inside = needed[top:bottom, left:right]
    if not inside.any():
        return []
    rows, columns = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    top, bottom = top + int(rows[0]), top + int(rows[-1]) + 1
    left, right = left + int(columns[0]), left + int(columns[-1]) + 1
    height, width = bottom - top, right - left
    if max(height, width) < SMALL:
        return [(top, left, bottom, right)]
    if width > min(widest, height):
        halves = (top, left, bottom, left + width // 2), (top, left + width // 2, bottom, right)
    else:
        halves = (top, left, top + height // 2, right), (top + height // 2, left, bottom, right)
    parts = [part for half in halves for part in _parts(needed, half, widest, margin)]
    work = sum((low - high + margin) * (last - first + margin) for high, first, low, last in parts)
    return [(top, left, bottom, right)] if width <= widest and (height + margin) * (width + margin) <= work else parts


def _inverse_lengths(cells: Array, side: int) -> Array:
    """1 / L2 length of the patch around each cell (c, h, w), as by ``attention.scores.inverse_length``."""
    squares: Array = np.pad(np.einsum("chw,chw->hw", cells, cells), side // 2)
    for axis in range(2):
        squares = np.lib.stride_tricks.sliding_window_view(squares, side, axis).sum(-1)
    return np.reciprocal(np.sqrt(squares + np.float32(1e-8)))


def _overlaps(length: int, side: int) -> Array:
    """By how many of the patches around the cells of a line each of them is covered."""
    return np.convolve(np.ones(length), np.ones(side), "same").astype(np.float32)


def _whole(shape: tuple[int, ...], side: int) -> Cells:
    """The cells around which a whole patch lies in the picture."""
    whole, reach = np.zeros(shape, bool), side // 2
    whole[reach : shape[0] - reach, reach : shape[1] - reach] = True
    return whole

"""What each convolution of a chain has to be given, so that a box comes out and nothing else is computed."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from temperfill.geometry import Box

Interval = tuple[int, int]
"""From and up to, along one axis."""


class Layer(NamedTuple):
    """How a convolution lies on what it is given.

    Attributes:
        side: of its kernel.
        stride: of its results.
        dilation: of its kernel.
        doubles: whether the size is doubled, each result seeing two of the given.
    """

    side: int
    stride: int
    dilation: int
    doubles: int

    def needs(self, wanted: Interval) -> Interval:
        """What some results depend on, which may lie beyond the picture."""
        first, end = wanted
        if self.doubles:
            return first // 2 - 1, -(-end // 2) + 1
        reach = self.dilation * (self.side - 1)
        begin = first * self.stride - reach // 2
        return begin, begin + (end - 1 - first) * self.stride + reach + 1

    def gives(self, given: Interval) -> Interval:
        """What comes out of that, without padding."""
        first, end = given
        if self.doubles:
            return 2 * first + 2, 2 * end - 2
        reach = self.dilation * (self.side - 1)
        begin = (first + reach // 2) // self.stride
        return begin, begin + (end - first - reach - 1) // self.stride + 1

    def length(self, given: int) -> int:
        """Of the result, for an axis of the whole picture."""
        return 2 * given if self.doubles else given // self.stride


class Narrowed(NamedTuple):
    """A chain of layers, computed for a box alone.

    Attributes:
        box: what the first layer is to be cut from the whole.
        pads: what each layer's input is padded by, or cut where negative, (layers, 8) as ONNX wants it.
        needed: by each layer, which may reach beyond the whole.
    """

    box: Box
    pads: NDArray[np.int64]
    needed: list[Box]


def narrow(layers: Sequence[Layer], box: Box, size: tuple[int, int]) -> Narrowed:
    """How a chain of layers is computed for a box of its result.

    Args:
        layers: from first to last, which does not double the size.
        box: of the result.
        size: height and width of the whole that the first layer is given.
    """
    rows, columns = (_along(layers, (box[axis], box[axis + 2]), size[axis]) for axis in range(2))
    needed = [_box(*pair) for pair in zip(rows[1], columns[1], strict=True)]
    return Narrowed(_box(rows[0], columns[0]), pads(rows[2], columns[2]), needed)


def cut(given: Box, wanted: Box) -> NDArray[np.int64]:
    """A row of pads that makes one box of another."""
    rows, columns = ((given[axis] - wanted[axis], wanted[axis + 2] - given[axis + 2]) for axis in range(2))
    return pads([rows], [columns])


def pads(rows: Iterable[Interval], columns: Iterable[Interval]) -> NDArray[np.int64]:
    """As ONNX wants them for (1, C, H, W): four before, four after; from pairs of before and after."""
    found = [(0, 0, top, left, 0, 0, bottom, right) for (top, bottom), (left, right) in zip(rows, columns, strict=True)]
    return np.array(found, np.int64)


def _along(layers: Sequence[Layer], wanted: Interval, length: int) -> tuple[Interval, list[Interval], list[Interval]]:
    """Along one axis: the part of the whole that is needed, what each layer needs, and what its input is padded by."""
    lengths = [length]
    for layer in layers[:-1]:
        lengths.append(layer.length(lengths[-1]))
    needed: list[Interval] = []
    for layer, end in zip(reversed(layers), reversed(lengths), strict=True):
        needed.insert(0, layer.needs(wanted))
        wanted = max(needed[0][0], 0), min(needed[0][1], end)
    given, added = wanted, []
    for layer, (first, last) in zip(layers, needed, strict=True):
        added.append((given[0] - first, last - given[1]))
        given = layer.gives((first, last))
    return wanted, needed, added


def _box(rows: Interval, columns: Interval) -> Box:
    return rows[0], columns[0], rows[1], columns[1]

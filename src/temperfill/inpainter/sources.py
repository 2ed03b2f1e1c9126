"""Where a filled place came from: the pixel that was copied, and what the attention of the method copied."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from temperfill.arrays import Array
from temperfill.geometry import Box, SizeRule
from temperfill.inpainter.filling import pad
from temperfill.inpainter.plan import CELL, ScaledWindow
from temperfill.inpainter.planes import Hole, Planes
from temperfill.inpainter.texture import Copied
from temperfill.methods.contract import FindSources


@dataclass(frozen=True)
class Match:
    """A patch that was copied from.

    Attributes:
        box: top, left, bottom, right in pixels of the picture.
        weight: its share of what was copied, in [0, 1].
    """

    box: Box
    weight: float


@dataclass(frozen=True)
class Copy:
    """The pixel that another one was copied from.

    Attributes:
        row: from the top of the picture.
        column: from the left.
        share: how far the pixel is a copy, in (0, 1]; the rest was drawn by the method.
    """

    row: int
    column: int
    share: float


@dataclass(frozen=True)
class Head:
    """What one head of the attention copied to a place.

    Attributes:
        temperature: that it used.
        matches: largest weight first.
    """

    temperature: float
    matches: list[Match]


@dataclass(frozen=True)
class Origin:
    """Where a filled pixel came from.

    Attributes:
        copy: where its texture was copied from, exactly; None for a pixel that the method drew alone.
        heads: what each head of the method's attention copied to its place, or to where it lay in the small picture;
            empty for a method that cannot tell.
    """

    copy: Copy | None
    heads: list[Head]


class Copies:
    """Where the pixels of a picture's hole were copied from, taken down window by window while it is filled.

    Args:
        width: of the picture.
    """

    def __init__(self, width: int) -> None:
        self._width = width
        self._pieces: list[_Piece] = []

    @property
    def size(self) -> int:
        """Pixels that are kept."""
        return sum(piece.numbers.size for piece in self._pieces)

    def add(self, window: ScaledWindow, copied: Copied) -> None:
        """Takes down what was copied into the hole of a window; copies of copies lead to the first place."""
        top, left, bottom, right = copied.box
        first_row, first_column = window.box[0] + top, window.box[1] + left
        hole = window.hole[top:bottom, left:right]
        rows, columns = copied.found.sources[hole].T
        numbers = (rows + first_row) * self._width + columns + first_column
        for piece in self._pieces:
            piece.follow(numbers, self._width)
        shares = copied.found.share[hole]
        self._pieces.append(_Piece(first_row, first_column, hole, numbers, shares))

    def at(self, row: int, column: int) -> Copy | None:
        """Where a pixel was copied from; None where it was not."""
        for piece in self._pieces:
            found = piece.find(np.array([row]), np.array([column]))
            if found[0] >= 0 and piece.shares[found[0]] > 0:
                source = int(piece.numbers[found[0]])
                return Copy(source // self._width, source % self._width, float(piece.shares[found[0]]))
        return None


@dataclass(frozen=True)
class _Piece:
    """A hole that was filled with copies: sources and shares of its pixels, row by row."""

    top: int
    left: int
    hole: Hole
    numbers: NDArray[np.int64]
    shares: NDArray[np.float32]

    @cached_property
    def index(self) -> NDArray[np.int32]:
        index = np.full(self.hole.shape, -1, np.int32)
        index[self.hole] = np.arange(self.numbers.size, dtype=np.int32)
        return index

    def find(self, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.int32]:
        """Which of its pixels they are, -1 for none."""
        rows, columns = rows - self.top, columns - self.left
        height, width = self.hole.shape
        inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
        return np.where(inside, self.index[rows.clip(0, height - 1), columns.clip(0, width - 1)], -1)

    def follow(self, numbers: NDArray[np.int64], width: int) -> None:
        """Leads, in place, pixels of the picture that were copied here to where they came from."""
        found = self.find(numbers // width, numbers % width)
        copied = (found >= 0) & (self.shares[found] > 0)
        numbers[copied] = self.numbers[found[copied]]


def heads_at(
    find: FindSources[Array],
    rule: SizeRule,
    small: Planes,
    window: ScaledWindow,
    point: tuple[int, int],
    shape: tuple[int, ...],
    temperature: float,
    top: int,
) -> list[Head]:
    """What every head copies to a pixel of a window's hole.

    Holes of other windows count as missing. A thick hole is looked at in the small picture, before any refinement.

    Args:
        find: tells where the attention of the method copies from.
        rule: sizes that the method takes.
        small: planes of the window as the method sees them first, ``window.factor`` times shrunk.
        window: that holds the pixel.
        point: row and column in the picture.
        shape: of the picture.
        temperature: factor on the learned temperatures.
        top: patches for each head.
    """
    image, mask = pad(small.image, rule), pad(small.mask, rule)
    sketch, avoid = (None if plane is None else pad(plane, rule) for plane in (small.sketch, small.avoid))
    columns, cell = image.shape[3] // CELL, CELL * window.factor
    asked = (point[0] - window.box[0]) // cell * columns + (point[1] - window.box[1]) // cell
    found = find(image, mask, sketch, temperature=temperature, cells=np.array([asked]), top=top, avoid=avoid)
    before, side = (found.patch_size - 1) // 2, found.patch_size * cell
    heads = []
    for heat, weights, sources in zip(found.temperatures, found.weights[:, 0], found.sources[:, 0], strict=True):
        corners = [((int(s) // columns - before) * cell, (int(s) % columns - before) * cell) for s in sources]
        boxes = [_clip((y, x, y + side, x + side), window.box, shape) for y, x in corners]
        heads.append(Head(float(heat), [Match(box, float(w)) for box, w in zip(boxes, weights, strict=True)]))
    return heads


def _clip(box: Box, window: Box, shape: tuple[int, ...]) -> Box:
    """A box of a window in the picture's coordinates and limits."""
    top, left = window[:2]
    return (
        min(max(box[0] + top, 0), shape[0] - 1),
        min(max(box[1] + left, 0), shape[1] - 1),
        min(box[2] + top, shape[0]),
        min(box[3] + left, shape[1]),
    )

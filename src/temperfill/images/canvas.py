"""Pictures on a larger canvas, whose new part is to be filled."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from temperfill.errors import InputError
from temperfill.images.picture import Picture

MIRRORED = 256
"""Pixels of the picture that stand mirrored behind its new part, as far as it has so many."""


@dataclass(frozen=True)
class Canvas:
    """A picture to fill, of which a part is the larger picture asked for.

    Behind the new part stands the edge of the picture, mirrored: a network that sees known pixels on both sides of a
    hole goes on with what is there, where one that sees the end of its picture drifts to grey.

    Attributes:
        picture: (H, W), black and opaque where it is new.
        hole: (H, W), True = new.
        mirrored: (H, W), True = mirrored, and of no use but to be seen.
        box: of what was asked for: top, bottom, left, right.
    """

    picture: Picture
    hole: NDArray[np.bool_]
    mirrored: NDArray[np.bool_]
    box: tuple[int, int, int, int]

    def cut(self, filled: Picture) -> Picture:
        """What was asked for, of the filled picture."""
        top, bottom, left, right = self.box
        return replace(filled, pixels=filled.pixels[top:bottom, left:right])


def extended_size(
    size: tuple[int, int], left: int = 0, top: int = 0, right: int = 0, bottom: int = 0
) -> tuple[int, int]:
    """Height and width that ``extend`` gives a picture of a size."""
    return size[0] + top + bottom, size[1] + left + right


def extend(picture: Picture, left: int = 0, top: int = 0, right: int = 0, bottom: int = 0) -> Canvas:
    """Puts a picture on a canvas that is larger on some sides.

    Args:
        picture: upright.
        left: pixels that come to this side; so the others.
        top: see left.
        right: see left.
        bottom: see left.

    Raises:
        InputError: a negative number, or none above 0.
    """
    if min(left, top, right, bottom) < 0 or max(left, top, right, bottom) == 0:
        raise InputError(
            f"a canvas grows by 0 or more pixels on each side and by 1 or more on one, got left {left}, top {top}, "
            f"right {right}, bottom {bottom}"
        )
    height, width = picture.size
    rows, columns = _places(height, top, bottom), _places(width, left, right)
    pixels = picture.pixels[np.maximum(rows, 0)][:, np.maximum(columns, 0)]
    hole = (rows < 0)[:, None] | (columns < 0)[None]
    pixels[hole] = 0
    if picture.mode in ("RGBA", "LA"):
        pixels[hole, -1] = 1 if pixels.dtype.kind == "f" else np.iinfo(pixels.dtype).max
    first_row, first_column = _margin(height, top), _margin(width, left)
    box = first_row, first_row + top + height + bottom, first_column, first_column + left + width + right
    mirrored = ~hole
    mirrored[first_row + top : first_row + top + height, first_column + left : first_column + left + width] = False
    return Canvas(replace(picture, pixels=pixels), hole, mirrored, box)


def _margin(length: int, new: int) -> int:
    """Pixels that stand mirrored behind new ones."""
    return min(MIRRORED, length) if new else 0


def _places(length: int, before: int, after: int) -> NDArray[np.int64]:
    """For each row or column of the canvas that of the picture which stands there, or -1."""
    own = np.arange(length)
    ahead, behind = own[: _margin(length, before)][::-1], own[length - _margin(length, after) :][::-1]
    return np.concatenate([ahead, np.full(before, -1), own, np.full(after, -1), behind])

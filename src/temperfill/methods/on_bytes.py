"""What the methods that work on one 8-bit picture at a time share: batches, bytes, empty and full holes."""

from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from temperfill.arrays import Array
from temperfill.methods.contract import PlainArrayMethod

Picture = NDArray[np.uint8]
Hole = NDArray[np.bool_]

FULL_HOLE_GREY = 0.5
"""Value of every pixel when nothing is known."""


def fill_each(image: Array, mask: Array, fill: Callable[[Picture, Hole], Picture]) -> Array:
    """Applies a function of bytes to every picture of a batch with its own mask.

    Values are rounded to the nearest byte on the way in; the way out divides by 255, so that writing the result as
    bytes gives exactly those of ``fill``. A picture with an empty hole comes back as it is; one without any known pixel
    turns grey, since ``fill`` would have nothing to start from.

    Args:
        image: (B, 3, H, W) floating point in [0, 1].
        mask: (B, 1, H, W), 1 = missing.
        fill: (H, W, 3) uint8 RGB and (H, W) bool to (H, W, 3) uint8; it must take all that it needs from known pixels.

    Returns:
        (B, 3, H, W) in [0, 1], not pasted, in the type of ``image``.
    """
    results = []
    for picture, hole in zip(image, mask[:, 0] > 0.5, strict=True):
        if not hole.any():
            results.append(picture)
        elif hole.all():
            results.append(np.full_like(picture, FULL_HOLE_GREY))
        else:
            pixels = (picture.astype(np.float64) * 255).round().clip(0, 255).astype(np.uint8).transpose(1, 2, 0)
            filled = fill(np.ascontiguousarray(pixels), np.ascontiguousarray(hole))
            results.append((filled.transpose(2, 0, 1) / 255).astype(picture.dtype))
    return np.stack(results)


def byte_method(name: str, fill: Callable[[Picture, Hole], Picture]) -> PlainArrayMethod:
    """A method that fills one 8-bit picture of any size at a time, on the CPU, as a method on batches.

    Args:
        name: of the method.
        fill: as for ``fill_each``.
    """
    # OpenCV's means get darker from pixel to pixel, as they are rounded down, and smooth surfaces swing over.
    return PlainArrayMethod(partial(fill_each, fill=fill), name, colours_stray=True)

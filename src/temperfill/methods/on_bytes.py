"""What the methods that work on one 8-bit picture at a time share: batches, bytes, empty and full holes."""

from collections.abc import Callable
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill.methods.contract import PlainMethod

Picture = NDArray[np.uint8]
Hole = NDArray[np.bool_]

FULL_HOLE_GREY = 0.5
"""Value of every pixel when nothing is known."""


def fill_each(image: Tensor, mask: Tensor, fill: Callable[[Picture, Hole], Picture]) -> Tensor:
    """Applies a function of bytes to every picture of a batch with its own mask.

    Values are rounded to the nearest byte on the way in; the way out divides by 255, so that writing the result as
    bytes gives exactly those of ``fill``. A picture with an empty hole comes back as it is; one without any known pixel
    turns grey, since ``fill`` would have nothing to start from.

    Args:
        image: (B, 3, H, W) floating point in [0, 1].
        mask: (B, 1, H, W), 1 = missing.
        fill: (H, W, 3) uint8 RGB and (H, W) bool to (H, W, 3) uint8; it must take all that it needs from known pixels.

    Returns:
        (B, 3, H, W) in [0, 1], not pasted, in dtype and on the device of ``image``.
    """
    results = []
    for picture, hole in zip(image, mask[:, 0] > 0.5, strict=True):
        if not hole.any():
            results.append(picture)
        elif hole.all():
            results.append(torch.full_like(picture, FULL_HOLE_GREY))
        else:
            pixels = (picture.detach().cpu().double() * 255).round().clamp(0, 255).byte().permute(1, 2, 0)
            filled = fill(np.ascontiguousarray(pixels.cpu().numpy()), np.ascontiguousarray(hole.cpu().numpy()))
            results.append((torch.from_numpy(filled).permute(2, 0, 1).double() / 255).to(picture))
    return torch.stack(results)


def byte_method(name: str, fill: Callable[[Picture, Hole], Picture]) -> PlainMethod:
    """A method that fills one 8-bit picture of any size at a time, on the CPU, as a method on batches.

    Args:
        name: of the method.
        fill: as for ``fill_each``.
    """
    # OpenCV's means get darker from pixel to pixel, as they are rounded down, and smooth surfaces swing over.
    return PlainMethod(partial(fill_each, fill=fill), name, colours_stray=True)

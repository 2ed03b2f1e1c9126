"""Planes (..., H, W) of numpy: checked, padded, shrunk, enlarged, pasted. What torch does to tensors, without torch."""

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
"""Planes of float32."""


def check_image_mask(image: Array, mask: Array, sketch: Array | None = None) -> None:
    """Checks the arrays that cross a boundary of the package.

    Args:
        image: (B, 3, H, W) floating point, finite, in [0, 1].
        mask: (B, 1, H, W) floating point, every value 0 or 1; 1 = missing.
        sketch: like ``mask``, or None; 1 = line.

    Raises:
        ValueError: says what was expected, what came, and what to do.
    """
    if image.ndim != 4 or image.shape[1] != 3:
        raise ValueError(
            f"image must have shape (B, 3, H, W), got {image.shape}; convert it to RGB and add a batch axis"
        )
    if 0 in image.shape:
        raise ValueError(f"image must not be empty, got shape {image.shape}")
    if image.dtype.kind != "f":
        raise ValueError(f"image must be floating point in [0, 1], got {image.dtype}; divide bytes by 255")
    low, high = image.min(), image.max()
    if not (low >= 0 and high <= 1):  # also catches NaN
        raise ValueError(f"image must lie in [0, 1], got values from {low:g} to {high:g}")
    for name, plane in (("mask", mask), ("sketch", sketch)):
        if plane is None:
            continue
        expected = (image.shape[0], 1, *image.shape[2:])
        if plane.shape != expected:
            advice = f"; add the axis of channels: {name}[:, None]" if plane.ndim == 3 else ""
            raise ValueError(f"{name} must have shape {expected} to match the image, got {plane.shape}{advice}")
        if plane.dtype.kind != "f":
            raise ValueError(f"{name} must be floating point 0 or 1, got {plane.dtype}; convert it to the image's type")
        if not ((plane == 0) | (plane == 1)).all():
            raise ValueError(f"{name} must hold only 0 and 1; threshold it first")


def pad(plane: Array, bottom: int, right: int) -> Array:
    """Repeats the last row and column; the plane itself where nothing is added."""
    if not bottom and not right:
        return plane
    return np.pad(plane, [(0, 0)] * (plane.ndim - 2) + [(0, bottom), (0, right)], "edge")


def mean(plane: Array, factor: int) -> Array:
    """The means of squares of ``factor`` pixels; sides are multiples of it.

    Pixels are added in the order in which ``avg_pool2d`` of torch adds them, so that the means are the same.
    """
    blocks = _blocks(plane, factor)
    total = np.zeros((*blocks.shape[:-3], blocks.shape[-2]), np.float32)
    for row in range(factor):
        for column in range(factor):
            total += blocks[..., row, :, column]
    total /= np.float32(factor * factor)
    return total


def maximum(plane: Array, factor: int) -> Array:
    """The largest values of squares of ``factor`` pixels; sides are multiples of it."""
    found: Array = _blocks(plane, factor).max((-3, -1))
    return found


def bicubic(plane: Array, factor: int) -> Array:
    """``factor`` times as large, by cubic convolution with a = -0.75, edges repeated: the bits of torch's.

    What torch on CPUs rounds once, a product and a sum, is computed here in float64, and in its order: where a network
    continues in bfloat16, one bit makes a difference that is seen.
    """
    for axis in (plane.ndim - 1, plane.ndim - 2):
        length = plane.shape[axis]
        first, weights = _cubic(length, factor)
        shape = (-1,) + (1,) * (plane.ndim - 1 - axis)
        weights = weights.reshape(4, *shape)
        taps = [np.take(plane, (first + tap).clip(0, length - 1), axis) for tap in range(4)]
        total = _multiply_add(taps[0], weights[0], taps[1] * weights[1])
        for tap in (2, 3):
            total = _multiply_add(taps[tap], weights[tap], total)
        plane = total
    return plane


def bilinear(plane: Array, factor: int) -> Array:
    """``factor`` times as large, by bilinear interpolation, edges repeated, as ``interpolate`` of torch."""
    for axis in (plane.ndim - 1, plane.ndim - 2):
        length = plane.shape[axis]
        first, after = _positions(length, factor)
        before, behind = (np.take(plane, (first + tap).clip(0, length - 1), axis) for tap in range(2))
        plane = before + (behind - before) * after.reshape((-1,) + (1,) * (plane.ndim - 1 - axis))
    return plane


def composite(refined: Array, image: Array, mask: Array) -> Array:
    """``refined`` in the hole of ``image``; known pixels keep their bits.

    Args:
        refined: (..., 3, H, W), of any floating type.
        image: (..., 3, H, W) in [0, 1].
        mask: (..., 1, H, W), 1 = missing.

    Returns:
        (..., 3, H, W) in the type of ``image``.
    """
    return np.where(mask > 0.5, refined.astype(image.dtype, copy=False), image)


def _blocks(plane: Array, factor: int) -> Array:
    *before, height, width = plane.shape
    return plane.reshape(*before, height // factor, factor, width // factor, factor)


def _multiply_add(a: Array, b: Array | np.float32, c: Array | np.float32) -> Array:
    """``a * b + c``, rounded once."""
    exact = np.multiply(a, b, dtype=np.float64)
    exact += c
    return exact.astype(np.float32)


def _positions(length: int, factor: int) -> tuple[NDArray[np.int64], Array]:
    """Of ``factor`` times as many pixels: the old pixel before each, and how far behind it each lies, in [0, 1)."""
    middle = np.arange(length * factor).astype(np.float32) + np.float32(0.5)
    place = _multiply_add(middle, np.float32(1 / factor), np.float32(-0.5))
    before = np.floor(place)
    return before.astype(np.int64), place - before


def _cubic(length: int, factor: int) -> tuple[NDArray[np.int64], Array]:
    """Of ``factor`` times as many pixels: the first of four old ones around each, and their weights (4, N)."""
    before, after = _positions(length, factor)
    a, one = np.float32(-0.75), np.float32(1)

    def near(x: Array) -> Array:
        return ((a + 2) * x - (a + 3)) * x * x + one

    def far(x: Array) -> Array:
        outer = _multiply_add(_multiply_add(x, a, -5 * a), x, 8 * a)
        return outer * x - 4 * a

    weights = np.stack([far(after + one), near(after), near(one - after), far(one - after + one)])
    return before - 1, weights

"""Masks of every kind: what in them means a hole."""

import warnings
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from temperfill.images.colours import luminance, to_rgb
from temperfill.images.mask_checks import check_meant, check_strength
from temperfill.images.picture import Array, Picture, to_bytes
from temperfill.images.reading import MAX_PIXELS, Source, open_picture
from temperfill.options import MaskChannel

_NEARLY_BLACK = 1.5 / 255  # masks of 0 and 1 are darker


def to_mask(
    source: Source,
    size: tuple[int, int],
    *,
    invert: bool = False,
    channel: MaskChannel = "luminance",
    max_pixels: int = MAX_PIXELS,
    force: bool = False,
    name: str = "the mask",
) -> NDArray[np.bool_]:
    """Reads a mask: white (above 127 of 255, above 0.5 for floats) = fill; bool arrays as they are.

    Whole numbers of nothing but 0 and 1 are taken as such: in arrays, where that is usual, without a word, in files,
    where it may be a black picture, with a warning.

    Args:
        source: as for ``open_picture``; arrays may have the shape (1, H, W), and any type of whole numbers for 0 and 1.
        size: height and width that the mask must have.
        invert: black = fill.
        channel: "luminance" looks at the brightness of the colours, "alpha" at the opacity.
        max_pixels: largest width times height of a file.
        force: take a mask that cannot be meant, too: a photograph, or strokes that are too weak.
        name: of the mask in errors.

    Returns:
        (H, W), True = missing.

    Raises:
        OSError: the file cannot be read.
        ValueError: unreadable as ``open_picture``, another size, all information in alpha without being asked for it,
            almost black, or one that cannot be meant.
    """
    name = f"{name} {source}" if isinstance(source, str | Path) else name
    if isinstance(source, np.ndarray):
        source = source[0] if source.shape == (1, *size) else source
        source = source.astype(np.bool_) if _is_zero_and_one(source) else source
    picture = open_picture(source, max_pixels, name)
    if picture.size != tuple(size):
        raise ValueError(
            f"{name} is {picture.size[1]}x{picture.size[0]} but the image is {size[1]}x{size[0]} (width x height, "
            "upright); draw the mask at the size of the image"
        )
    if channel not in ("luminance", "alpha"):
        raise ValueError(f"mask channel must be luminance or alpha, got {channel!r}")
    white, strength = (_of_opacity if channel == "alpha" else _of_brightness)(picture, name)
    if strength is not None and not force:
        if channel == "alpha":
            check_strength(strength, name, "opaque", invert=invert)
        else:
            check_meant(strength, _colours(picture), name, invert=invert, alpha_varies=_varies(picture.alpha))
    return white != invert


def _of_opacity(picture: Picture, name: str) -> tuple[NDArray[np.bool_], NDArray[np.float32] | None]:
    """What is marked, and how strongly; None where there are but two values."""
    alpha, opacity = picture.alpha, picture.opacity
    if alpha is None or opacity is None:
        raise ValueError(f"{name} has no alpha channel (mode {picture.mode}); use mask channel luminance")
    if _is_zero_and_one(alpha):
        _warn_of_ones(name, "opacity")
        return alpha > 0, None
    return opacity > 0.5, opacity


def _of_brightness(picture: Picture, name: str) -> tuple[NDArray[np.bool_], NDArray[np.float32] | None]:
    """As ``_of_opacity``, of the colours."""
    values = luminance(picture)
    colours = picture.pixels[..., :-1] if picture.mode in ("LA", "RGBA") else picture.pixels
    if picture.mode not in ("P", "CMYK", "LAB", "YCbCr", "HSV") and _is_zero_and_one(colours):
        _warn_of_ones(name, "brightness")
        return values > 0, None
    if picture.pixels.dtype.kind != "f" and 0 < values.max() < _NEARLY_BLACK:
        raise ValueError(f"{name} is almost black (nothing above 1 of 255); write 255 for white instead of 1")
    if _varies(picture.alpha) and values.min() == values.max():
        raise ValueError(f"{name} has the same brightness everywhere and differs only in alpha; use mask channel alpha")
    return values > 0.5, None if picture.pixels.dtype.kind == "b" else values


def _varies(values: Array | None) -> bool:
    return values is not None and bool(values.min() != values.max())


def _colours(picture: Picture) -> NDArray[np.uint8] | None:
    """(H, W, 3) of a picture that has colours, else None."""
    if picture.mode in ("1", "L", "LA") or picture.pixels.dtype.kind == "f":
        return None
    return to_bytes(to_rgb(replace(picture, info={})))


def _is_zero_and_one(values: Array) -> bool:
    """Whether whole numbers, at least one of them 1, are nothing but 0 and 1."""
    return values.dtype.kind in "ui" and values.size > 0 and values.max() == 1 and values.min() >= 0


def _warn_of_ones(name: str, what: str) -> None:
    text = f"{name} holds only 0 and 1 of 255 as {what}; 1 is taken as white"
    warnings.warn(text, UserWarning, stacklevel=3)

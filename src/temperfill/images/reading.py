"""Picture and mask files: how their bytes are read."""

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin, TiffImagePlugin

from temperfill.images import metadata, sixteen, tiff, whole
from temperfill.images.colours import to_rgb
from temperfill.images.formats import (
    DECODER_ERRORS,
    depth,
    has_frames,
    identify,
    is_cut,
    is_deep,
    one_line,
    stored_size,
)
from temperfill.images.jpeg import read_form as read_jpeg_form
from temperfill.images.picture import MODES, Array, Picture, pixels_of, to_bytes
from temperfill.images.tiff_pages import read_pages
from temperfill.images.tiff_writing import read_form as read_tiff_form
from temperfill.images.turning import turn, turn_deep

Source = str | Path | bytes | bytearray | memoryview | BinaryIO | Image.Image | Array

MAX_PIXELS = 256_000_000
"""Default limit on width times height; files above it are refused before decoding."""
MOST_ASPECT = 50
"""Long side through short side of a picture that may be enlarged by its short side."""
_RESOLUTION = 282  # across
_LIKE_SRGB = (1, 2, 5, 6, 7)  # primaries (ITU-T H.273) that are those of sRGB, nearly so, or not told


def open_picture(source: Source, max_pixels: int = MAX_PIXELS, name: str = "the file") -> Picture:
    """Decodes a picture and turns it upright (EXIF orientation).

    Args:
        source: path, file open for reading bytes, the bytes of a file, Pillow image, or array: bool (H, W), or uint8,
            uint16 or float in [0, 1], (H, W) or (H, W, 1, 3 or 4).
        max_pixels: largest width times height of a file.
        name: of an open file, or of bytes, in errors.

    Raises:
        OSError: the file cannot be read.
        ValueError: damaged, not a supported picture, too large, or of an unsupported mode; names the source.
    """
    if isinstance(source, np.ndarray):
        return _from_array(source)
    if isinstance(source, Image.Image):
        if is_deep(source):
            text = f"Pillow reads {depth(source)} bits per colour as 8; give the path of the picture, or an array"
            warnings.warn(text, UserWarning, stacklevel=3)
        return _from_image(source, "the image")
    if isinstance(source, str) and "://" in source:
        raise ValueError(f"{source} is an address, and no path here: open it first, and give the open file")
    if isinstance(source, str | Path):
        with Path(source).open("rb") as file:
            return _from_file(file, str(source), max_pixels)
    if isinstance(source, bytes | bytearray | memoryview):
        return _from_file(io.BytesIO(source), name, max_pixels)
    if isinstance(source, io.IOBase):
        return _from_file(cast(BinaryIO, source), name, max_pixels)
    raise ValueError(
        "expected a path, an open file or its bytes, a Pillow image or a numpy array, got " + type(source).__name__
    )


def read_rgb(source: Source, max_pixels: int = MAX_PIXELS, name: str = "the file") -> NDArray[np.uint8]:
    """A picture as (H, W, 3) sRGB bytes, upright; arguments and errors are those of ``open_picture``."""
    picture = open_picture(source, max_pixels, name)
    if picture.mode == "RGB" and not picture.is_deep and "icc_profile" not in picture.info:
        return picture.pixels
    return to_bytes(to_rgb(picture))


def read_small(file: BinaryIO, side: int, name: str = "the file") -> NDArray[np.uint8]:
    """The brightness of a picture file, (H, W), upright, decoded no larger than need be: to compare, not to show.

    Args:
        file: open for reading bytes.
        side: both sides have at least as many pixels, where the picture has.
        name: of the file in errors.

    Raises:
        ValueError: as :func:`open_picture`.
    """
    image = identify(file, name)
    _check_size(stored_size(image), name, MAX_PIXELS)
    try:
        image.draft("L", (side, side))
        orientation = metadata.orientation_of(image, metadata.exif_of(image, file, name))
        return np.asarray(turn(image, orientation).convert("L"))
    except MemoryError:
        raise ValueError(f"{name} cannot be decoded: not enough memory, or its header is damaged") from None
    except (OSError, *DECODER_ERRORS) as error:
        raise ValueError(f"{name} is damaged or truncated: {one_line(error)}") from None


def resize_grey(plane: NDArray[np.uint8], side: int) -> NDArray[np.float64]:
    """A plane (H, W) as a square (side, side) by Lanczos; the aspect does not stay."""
    return np.asarray(Image.fromarray(plane).resize((side, side), Image.Resampling.LANCZOS), np.float64)


def resize_short_side(
    picture: NDArray[np.uint8], size: int, squash: bool = False, name: str = "the picture"
) -> NDArray[np.uint8]:
    """Resizes (H, W, 3) bytes by Lanczos so that the short side has ``size`` pixels; the aspect stays.

    With ``squash`` both sides have them, and the aspect is lost.

    Raises:
        ValueError: a picture so thin that enlarging it would take gigabytes; names it.
    """
    height, width = picture.shape[:2]
    if (height, width) == (size, size) or (min(height, width) == size and not squash):
        return picture
    if size > min(height, width) and not squash and max(height, width) > MOST_ASPECT * min(height, width):
        raise ValueError(
            f"{name} has {width}x{height} pixels, too thin to be enlarged to {size} on the short side: "
            f"the long one may be {MOST_ASPECT} times as long; cut it, or leave it out"
        )
    scale = size / min(height, width)
    target = (size, size) if squash else (max(round(width * scale), size), max(round(height * scale), size))
    return np.asarray(Image.fromarray(picture).resize(target, Image.Resampling.LANCZOS))


def _from_file(file: BinaryIO, name: str, max_pixels: int) -> Picture:
    """The first frame of a picture file, decoded in full."""
    image = identify(file, name)
    _check_size(stored_size(image), name, max_pixels)
    try:
        if image.format == "PNG":
            # Decoding alone skips the checksums.
            image.verify()
            image = identify(file, name)
        _warn_of_losses(image, name)
        deep = _deep_samples(image, file, name)
        if deep is None:
            image.load()
        whole.check(image, file)
    except MemoryError:
        raise ValueError(f"{name} cannot be decoded: not enough memory, or its header is damaged") from None
    except (OSError, *DECODER_ERRORS) as error:
        raise ValueError(f"{name} is damaged or truncated: {one_line(error)}") from None
    _check_size(image.size, name, max_pixels)  # again: HEIF states its size twice
    picture = _from_image(image, name, deep, file)
    return _with_pages(picture, file, name) if _has_pages(image) else picture


def _deep_samples(image: Image.Image, file: BinaryIO, name: str) -> tuple[str, Array] | None:
    """Mode and values, (H, W, C), of a picture of which Pillow does not read all bits; None for others."""
    if isinstance(image, tiff.DeepTiff):
        mode, values, losses = tiff.meaning(image, tiff.samples(image, file))
        for loss in losses:
            warnings.warn(f"{name} {loss}", UserWarning, stacklevel=4)
        return mode, values
    return sixteen.samples(image, file) if sixteen.is_read_here(image) else None


def _check_size(size: tuple[int, int], name: str, max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise ValueError(
            f"{name} has {width}x{height} pixels, {width * height / 1e6:.0f} million, above the limit of "
            f"{max_pixels / 1e6:g} million; raise it with max_pixels (--max-pixels)"
        )


def _has_pages(image: Image.Image) -> bool:
    return isinstance(image, TiffImagePlugin.TiffImageFile) and image.is_animated


def _with_pages(picture: Picture, file: BinaryIO, name: str) -> Picture:
    """The picture with the further pages of its file, which a TIFF that is written takes over."""
    try:
        return replace(picture, info=picture.info | {"pages": read_pages(file)})
    except (OSError, *DECODER_ERRORS) as error:
        warnings.warn(f"the further pages of {name} are left out: {one_line(error)}", UserWarning, stacklevel=4)
        return picture


def _warn_of_losses(image: Image.Image, name: str) -> None:
    losses = []
    if _has_pages(image):
        losses.append("has several pages; only the first is filled")
    elif has_frames(image) and getattr(image, "is_animated", False):
        losses.append("has several frames; only the first is used")
    elif image.format == "HEIF" and getattr(image, "n_frames", 1) > 1:
        losses.append("has several pictures; only the main one is used")
    if is_cut(image):
        losses.append(f"has {depth(image)} bits per colour; it is read and written with 8")
    primaries = image.info.get("nclx_profile", {}).get("color_primaries", 1)
    if image.format == "HEIF" and "icc_profile" not in image.info and primaries not in _LIKE_SRGB:
        losses.append(f"has colours of another kind than sRGB (primaries {primaries}) without a profile; taken as sRGB")
    for loss in losses:
        warnings.warn(f"{name} {loss}", UserWarning, stacklevel=4)


def _from_image(
    image: Image.Image, name: str, deep: tuple[str, Array] | None = None, file: BinaryIO | None = None
) -> Picture:
    """Takes over the pixels of a decoded image, upright, and what is worth keeping of its metadata.

    Args:
        image: decoded, but where ``deep`` is given.
        name: for errors and warnings.
        deep: mode and values that Pillow does not have.
        file: that the image comes from, if it comes from one.
    """
    layout = None
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        layout = read_tiff_form(image)
        if _RESOLUTION not in image.tag_v2:
            image.info.pop("dpi", None)  # which Pillow makes up
    exif = metadata.exif_of(image, file, name)
    orientation = metadata.orientation_of(image, exif)
    jpeg = read_jpeg_form(image, orientation) if isinstance(image, JpegImagePlugin.JpegImageFile) else None
    if deep is None:
        upright, (mode, pixels) = _plain(turn(image, orientation), image.format == "PPM")
    else:
        upright, (mode, pixels) = turn_deep(image, *deep, orientation)
    if mode not in MODES:
        raise ValueError(f"{name} has mode {mode}, supported are {', '.join(MODES)}; convert it to RGB first")
    if pixels.dtype.kind == "f" and not np.isfinite(pixels).all():
        raise ValueError(f"{name} holds values that are not finite; replace them first, as with numpy.nan_to_num")
    info = metadata.collect(image, file, exif, orientation, pixels.shape[:2], name)
    if mode == "P" and "transparency" in upright.info:
        info["transparency"] = upright.info["transparency"]
    info |= {"jpeg": jpeg} if jpeg is not None else {}
    info |= {"layout": layout} if layout is not None else {}
    palette = None
    if mode == "P":
        table = np.array(upright.getpalette("RGBA"), np.uint8).reshape(-1, 4)
        palette = table[:, :3].tobytes()
        if upright.palette is not None and upright.palette.mode == "RGBA":
            info["transparency"] = table[:, 3].tobytes()
    return Picture(pixels, mode, info, palette)


def _plain(image: Image.Image, is_ppm: bool) -> tuple[Image.Image, tuple[str, Array]]:
    """An image of Pillow's in a mode that is taken, which this is, and its pixels."""
    if image.mode in ("RGBa", "La", "PA"):  # colours multiplied by their opacity; a palette with a channel of it
        image = image.convert("LA" if image.mode == "La" else "RGBA")
    if "transparency" in image.info and image.mode in ("1", "L", "RGB"):
        # One colour is declared transparent: as a channel of its own it cannot clash with filled pixels.
        image = image.convert("RGBA" if image.mode == "RGB" else "LA")
    mode, pixels = image.mode, pixels_of(image)
    if mode.startswith("I;16"):
        mode, pixels = "I;16", pixels.astype(np.uint16)
    elif mode == "I" and is_ppm:  # how Pillow reads 16 bits there
        mode, pixels = "I;16", np.clip(pixels, 0, 65535).astype(np.uint16)
    return image, (mode, pixels)


def _within_unit(values: Array) -> bool:
    return values.size == 0 or bool(values.min() >= 0 and values.max() <= 1)  # False for NaN


def _from_array(pixels: Array) -> Picture:
    """An array as a picture; raises ValueError for a shape, type or range that has no meaning."""
    shape = pixels.shape
    if pixels.ndim not in (2, 3) or 0 in shape or (pixels.ndim == 3 and shape[2] not in (1, 3, 4)):
        turn = pixels.ndim == 3 and shape[0] in (1, 3, 4)
        advice = "; numpy.moveaxis(array, 0, -1) puts channels last" if turn else ""
        raise ValueError(f"expected an array (H, W) or (H, W, 1, 3 or 4), got {shape}{advice}")
    channels: Any = 1 if pixels.ndim == 2 else shape[2]
    if np.issubdtype(pixels.dtype, np.floating):
        if not _within_unit(pixels):
            raise ValueError("expected a float array in [0, 1]; divide bytes by 255")
    elif pixels.dtype.name not in ("uint8", "uint16", "bool") or (pixels.dtype == np.bool_ and channels > 1):
        raise ValueError(f"cannot read an array {shape} of {pixels.dtype}; convert it to uint8, or to float in [0, 1]")
    grey = {"bool": "1", "uint16": "I;16"}.get(pixels.dtype.name, "L")
    flat = pixels.reshape(shape[:2]) if channels == 1 and pixels.dtype.kind != "f" else pixels
    flat = np.ascontiguousarray(flat, flat.dtype.newbyteorder("="))
    return Picture(flat, {1: grey, 3: "RGB", 4: "RGBA"}[channels], {})

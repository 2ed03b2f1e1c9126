"""Picture files: what a format can hold, and how a result is written."""

import io
import tempfile
import warnings
import zlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from temperfill.files import atomic_write
from temperfill.images import fitting
from temperfill.images.colours import cut_out
from temperfill.images.formats import DECODER_ERRORS, FORMATS, WRITTEN, one_line
from temperfill.images.picture import DEEP_GREY, Array, Picture
from temperfill.images.sixteen import encode_png, encode_ppm
from temperfill.images.tiff_writing import Form, encode_tiff

QUALITY = 95
"""Default quality of lossy formats."""
LARGE, PROBE = 4_000_000, 64
"""Pixels from which on a PNG is written as a band of so many rows compresses best."""

# Modes with 8 bits that each format holds without loss of colour or alpha.
_STORABLE = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA"),
    "JPEG": ("L", "RGB", "CMYK", "YCbCr"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "TIFF": ("1", "L", "LA", "RGB", "RGBA", "CMYK", "LAB"),
    "BMP": ("1", "L", "RGB"),
    "GIF": ("P", "L"),
    "PPM": ("1", "L", "RGB"),
}
# Modes to try in turn, each of which holds all that the mode holds.
_WIDER = {"1": ("L", "RGB"), "L": ("RGB", "RGBA"), "LA": ("RGBA",), "P": ("RGB", "RGBA")}
# Longest side, pixels, of formats whose header or encoder has a limit below that of the others.
_LONGEST = {"WEBP": 16_383, "JPEG": 65_500, "GIF": 65_535, "AVIF": 65_535}
_WITHOUT_ALPHA = {"RGBA": "RGB", "RGBX": "RGB", "LA": "L"}
# Formats with more than 8 bits, and the modes that have them there.
_DEEP = {
    "PNG": ("I;16", "LA", "RGB", "RGBA"),
    "TIFF": ("I;16", "I", "F", "L", "LA", "RGB", "RGBA", "CMYK"),
    "PPM": ("I;16", "RGB"),
}


def check_output(path: Path, picture: Picture | None = None, layer: bool = False) -> None:
    """Checks, before any work, that a picture can be written.

    Args:
        path: of the file to write.
        picture: its mode must fit the format; None leaves that out.
        layer: as for ``check_storable``.

    Raises:
        OSError: the folder is missing or not writable, or ``path`` is no regular file.
        ValueError: unknown suffix, or a format that cannot hold the picture.
    """
    if path.is_dir():
        raise IsADirectoryError(f"cannot write {path}: it is a folder; name a file in it")
    check_suffix(path.suffix, f"cannot write {path}")
    target = path.resolve()
    if not target.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {target.parent}; create it first")
    if target.exists() and not target.is_file():
        raise OSError(f"cannot write {path}: it is not a regular file")
    try:  # permission bits say nothing to root or of a read-only file system
        with tempfile.TemporaryFile(dir=target.parent):
            pass
    except OSError as error:
        raise type(error)(f"cannot write in {target.parent}: {error.strerror}") from None
    if picture is not None:
        check_storable(picture, path, layer)


def check_suffix(suffix: str, name: str = "cannot write") -> None:
    """Checks that files of a suffix can be written.

    Args:
        suffix: with its dot, in either case.
        name: what the error begins with.

    Raises:
        ValueError: unknown suffix, or a format that is read only.
    """
    kind = FORMATS.get(suffix.lower())
    if kind is None:
        raise ValueError(f"{name}: unknown suffix {suffix!r}; known are {', '.join(WRITTEN)}")
    if suffix.lower() not in WRITTEN:
        instead = "write .png, which keeps every known pixel, or .jpg, which is smaller"
        raise ValueError(f"{name}: HEIC ({suffix}) can be read, but not written; {instead}")


def check_storable(picture: Picture, path: Path, layer: bool = False) -> None:
    """Checks, before any work, that a format holds a picture; warns of depth and metadata that it has no place for.

    Args:
        picture: to be written.
        path: its suffix says the format.
        layer: only its hole is to be written.

    Raises:
        ValueError: it would lose colours or alpha, or is too large for the format.
    """
    if layer:
        picture = cut_out(picture, np.zeros(picture.size, np.bool_))
    kind = WRITTEN[path.suffix.lower()]
    if max(picture.size) > (longest := _LONGEST.get(kind, max(picture.size))):
        height, width = picture.size
        raise ValueError(
            f"cannot write {path}: {kind} holds at most {longest} pixels a side, the picture has {width}x{height}; "
            "use .png or .tif"
        )
    held = _held(picture, path)
    for loss in fitting.fitting(held.info, kind)[1]:
        warnings.warn(f"{path.name} will not have {loss}", UserWarning, stacklevel=3)
    bits, kept = (8 * each.pixels.dtype.itemsize for each in (picture, held))
    if kept < bits:
        text = f"{path.name} will have {kept} bits per colour instead of {bits}; {kind} holds no more"
        warnings.warn(text, UserWarning, stacklevel=3)
    if "pages" in picture.info and kind != "TIFF":
        warnings.warn(f"{path.name} will have the first page alone; {kind} has no pages", UserWarning, stacklevel=3)
    if not held.is_deep:
        _as_image(held, path)


def _held(picture: Picture, path: Path) -> Picture:
    """The picture in a depth that the format of the suffix has, and without opacity that says nothing.

    Raises:
        ValueError: a deep picture would lose colours or alpha.
    """
    kind = WRITTEN[path.suffix.lower()]
    deep = _DEEP.get(kind, ())
    if kind != "TIFF":
        picture = picture.rounded(np.uint16 if deep else np.uint8)
    modes = deep if picture.is_deep else _STORABLE[kind]
    opacity = picture.opacity
    if picture.mode in _WITHOUT_ALPHA and picture.mode not in modes and (opacity is None or (opacity == 1).all()):
        mode, pixels = _WITHOUT_ALPHA[picture.mode], picture.pixels[..., :-1]
        if mode == "L":
            mode, pixels = "I;16" if picture.is_deep else "L", pixels[..., 0]
        picture = replace(picture, mode=mode, pixels=np.ascontiguousarray(pixels))
    if picture.is_deep and picture.mode not in deep:
        raise _refusal(path, picture.mode, _DEEP)
    return picture


def _as_image(picture: Picture, path: Path) -> Image.Image:
    """A picture of 8 bits as an image in a mode that the format of the suffix holds without loss.

    Raises:
        ValueError: it would lose colours or alpha.
    """
    kind = WRITTEN[path.suffix.lower()]
    image = picture.to_image()
    if kind == "GIF" and image.mode == "1":
        return image.convert("L")
    is_opaque = picture.alpha is None or bool((picture.alpha == 255).all())
    for mode in (image.mode, *_WIDER.get(image.mode, ())):
        if mode not in _STORABLE[kind] or (mode == "RGB" and not is_opaque):
            continue
        if mode == "P" or mode == image.mode:
            return image
        if image.mode == "P":
            image = image.convert("RGBA")  # first, as Pillow wants it where entries are transparent
        return image.convert(mode)
    raise _refusal(path, image.mode, _STORABLE)


def _refusal(path: Path, mode: str, held: Mapping[str, tuple[str, ...]]) -> ValueError:
    """An error that names the suffixes of formats that hold a mode."""
    better = sorted(suffix for suffix, kind in WRITTEN.items() if mode in held.get(kind, ()))
    remedy = f"use {', '.join(better)}" if better else "convert it to RGB first"
    kind = WRITTEN[path.suffix.lower()]
    return ValueError(f"cannot write {path}: {kind} does not hold mode {mode} as it is; {remedy}")


def save_picture(path: Path, picture: Picture, quality: int | None = None) -> None:
    """Writes a picture atomically, in the format of the suffix, with its metadata and colour profile.

    Args:
        path: PNG, TIFF, BMP, GIF and PPM keep every pixel; JPEG, WebP and AVIF are lossy.
        picture: what to write.
        quality: of lossy formats, 1 to 100; WebP at 100 is lossless. None compresses a JPEG like the JPEG that it came
            from, and anything else with ``QUALITY``.

    Raises:
        OSError: cannot be written; an old file is intact.
        ValueError: as ``check_output``, or a quality out of range.
    """
    _check_quality(quality)
    check_output(path)
    encoded = encode_picture(picture, path, quality)
    atomic_write(path, lambda file: file.write(encoded))


def encode_picture(picture: Picture, path: Path, quality: int | None = None, *, fast: bool = False) -> bytes:
    """The bytes of a picture file, as ``save_picture`` writes them; no file is touched.

    Args:
        picture: what to encode.
        path: its suffix says the format.
        quality: as for ``save_picture``.
        fast: compress PNG less; of a large photograph it takes a third of the time.

    Raises:
        ValueError: a format that cannot hold the picture, or a quality out of range.
    """
    _check_quality(quality)
    kind = WRITTEN[path.suffix.lower()]
    held = _held(picture, path)
    info, _ = fitting.fitting(held.info, kind)
    if not held.is_deep and picture.mode in ("1", "L", "LA", *DEEP_GREY) and kind in ("WEBP", "AVIF"):
        info.pop("icc_profile", None)  # describes grey, which the format forces into RGB
    try:
        return _encoded(held, path, info, quality, fast)
    except (OSError, *DECODER_ERRORS) as error:
        reason = one_line(error)
    # Whatever it was, the pixels are worth more than what was said about them.
    plain: dict[str, Any] = {key: info[key] for key in ("jpeg", "layout", "pages") if key in info}
    try:
        encoded = _encoded(held, path, plain, quality, fast)
    except (OSError, *DECODER_ERRORS) as error:
        raise ValueError(f"cannot write {path} as {kind}: {one_line(error)}") from None
    warnings.warn(f"{path.name} is written without its metadata, which failed ({reason})", UserWarning, stacklevel=2)
    return encoded


def _encoded(picture: Picture, path: Path, info: dict[str, Any], quality: int | None, fast: bool) -> bytes:
    """A file with the pixels of a picture that a format holds, and with this metadata; raises what encoders raise."""
    kind = WRITTEN[path.suffix.lower()]
    options = _options(kind, picture, info, quality)
    if picture.is_deep and kind == "PPM":
        return encode_ppm(picture.pixels)
    if picture.is_deep and kind == "PNG":
        return encode_png(picture.pixels, 1 if fast else 6, **options)
    if picture.is_deep:
        return _tiff(picture.pixels, picture.mode, info)
    image = _as_image(picture, path)
    if kind == "PNG":
        options |= _compression(image, fast)
    if kind == "TIFF":
        return _tiff(np.asarray(image), image.mode, info)
    image.info = {key: value for key, value in image.info.items() if key == "transparency"}
    # Into memory: some of Pillow's writers seek, and one that fails must not leave a file.
    encoded = io.BytesIO()
    image.save(encoded, kind, **options)
    return encoded.getvalue()


def _compression(image: Image.Image, fast: bool) -> dict[str, int]:
    """How a PNG is compressed.

    In large photographs with grain hardly anything repeats, and looking for it takes three quarters of the time for
    nothing. A band from the middle tells whether a picture is of this kind.
    """
    width, height = image.size
    usual = {"compress_level": 1} if fast else {}
    if width * height < LARGE:
        return usual
    top = (height - PROBE) // 2
    band = image.crop((0, top, width, top + PROBE))
    by_runs = {"compress_type": zlib.Z_RLE}
    return by_runs if _length(band, by_runs) <= 1.02 * _length(band, usual) else usual


def _length(band: Image.Image, options: dict[str, int]) -> int:
    encoded = io.BytesIO()
    band.save(encoded, "PNG", **options)
    return encoded.tell()


def _tiff(pixels: Array, mode: str, info: dict[str, Any]) -> bytes:
    kept = {key: info[key] for key in ("icc_profile", "xmp", "dpi", "per_cm", "pages") if key in info}
    return encode_tiff(pixels, mode, info.get("layout", Form()), fitting.tiff_tags(info).encoded(), **kept)


def _check_quality(quality: int | None) -> None:
    if quality is not None and not 1 <= quality <= 100:
        raise ValueError(f"quality must lie in 1 to 100, got {quality}")


def _options(kind: str, picture: Picture, info: dict[str, Any], quality: int | None) -> dict[str, Any]:
    """Metadata and quality for Pillow's writers."""
    options: dict[str, Any] = {key: info[key] for key in ("icc_profile", "dpi", "comment") if key in info}
    if kind in ("JPEG", "PNG", "WEBP", "AVIF") and "exif" in info:
        options["exif"] = info["exif"]
    if kind in ("JPEG", "WEBP", "AVIF") and "xmp" in info:
        options["xmp"] = info["xmp"]
    if kind == "PNG":
        options["pnginfo"] = fitting.png_info(info)
    if kind == "JPEG" and "iptc" in info:
        options["extra"] = fitting.iptc_segment(info["iptc"])
    if kind == "JPEG" and "jpeg" in info:
        channels = picture.pixels.shape[2] if picture.pixels.ndim == 3 else 1
        options |= info["jpeg"].options(channels, quality, QUALITY)
    elif kind in ("JPEG", "WEBP", "AVIF"):
        options["quality"] = QUALITY if quality is None else quality
    if kind == "WEBP":
        options |= {"lossless": quality == 100, "exact": True}
    return options

"""Formats of picture files: which are let in, and what a file says before its pixels are decoded."""

import struct
import threading
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

from PIL import Image

from temperfill.images import heif

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".avif": "AVIF",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".gif": "GIF",
    ".ppm": "PPM",
    ".pgm": "PPM",
    ".pbm": "PPM",
    ".heic": "HEIF",
    ".heif": "HEIF",
    ".hif": "HEIF",
}
"""Format of each suffix; all are read, HEIF with the extra of its name, and no other format is."""
SUFFIXES = frozenset(FORMATS)
"""Suffixes of picture files, lower case."""
WRITTEN = {suffix: kind for suffix, kind in FORMATS.items() if kind != "HEIF"}
"""Format of each suffix that can be written; encoders of HEIF are under other licences."""

# All that Pillow's decoders raise on damaged files; OSError beside them.
DECODER_ERRORS = (
    SyntaxError,
    ValueError,
    ArithmeticError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    RuntimeError,
    struct.error,
    zlib.error,
)
_LIMIT_LOCK = threading.Lock()


@dataclass(frozen=True)
class Header:
    """What a picture file says before its pixels.

    Attributes:
        kind: its format, a value of FORMATS.
        size: height and width as stored, before the EXIF orientation, pixels; of HEIF before its crop, too.
        animated: whether it has more than one frame.
        depth: bits of each colour where they are more than the 8 with which they are read, else 8.
        has_alpha: whether it has a channel of opacity.
    """

    kind: str
    size: tuple[int, int]
    animated: bool
    depth: int = 8
    has_alpha: bool = False


def read_header(file: BinaryIO, name: str = "the file") -> Header:
    """What a picture file says before anything of it is decoded.

    Args:
        file: open for reading; it is read from its start and left at any place.
        name: of the file in errors.

    Raises:
        ValueError: not a supported picture, or its header is damaged.
    """
    image = identify(file, name)
    try:
        animated = has_frames(image) and bool(getattr(image, "is_animated", False))
    except (OSError, MemoryError, *DECODER_ERRORS) as error:
        raise ValueError(f"{name} is damaged or truncated: {one_line(error)}") from None
    kind = "JPEG" if image.format == "MPO" else str(image.format)
    width, height = stored_size(image)
    return Header(kind, (height, width), animated, depth(image), image.mode in ("RGBA", "RGBa", "LA", "La"))


def identify(file: BinaryIO, name: str) -> Image.Image:
    """Reads the header, at the start of the file; raises ValueError as ``read_header``."""
    read_heif = heif.reader(name) if heif.is_heif(file) else None
    file.seek(0)
    try:
        if read_heif is not None:
            return read_heif(file)
        with _no_foreign_limit():
            return Image.open(file, formats=sorted(set(WRITTEN.values())))
    except (OSError, MemoryError, *DECODER_ERRORS):
        known = ", ".join(sorted(set(FORMATS.values())))
        raise ValueError(f"{name} is not a supported picture, or is damaged; supported are {known}") from None


def has_frames(image: Image.Image) -> bool:
    """Whether the format's further pictures are frames or pages of equal rank.

    MPO is a JPEG with previews behind it; HEIF names the one that is the photograph.
    """
    return image.format not in ("MPO", "HEIF")


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of what is decoded, from the header."""
    width, height = image.info.get("stored_size", image.size)
    return (width, height) if width * height > image.width * image.height else image.size


def depth(image: Image.Image) -> int:
    """Bits of each colour where Pillow cuts them down to 8, else 8."""
    if image.format == "HEIF":
        return max(int(image.info.get("bit_depth", 8)), 8)
    is_cut = image.mode in ("RGB", "RGBA", "LA", "CMYK") and any(map(_is_deep, getattr(image, "tile", ())))
    return 16 if is_cut else 8


def one_line(error: BaseException) -> str:
    """What an error of a decoder says, without line breaks."""
    return " ".join(str(error).split())


def _is_deep(tile: Any) -> bool:
    """Whether Pillow cuts the channels of a part of a file down to 8 bits."""
    codec, _, _, arguments = tile
    return ";16" in str(arguments) or (codec.startswith("ppm") and arguments[-1] > 255)


@contextmanager
def _no_foreign_limit() -> Iterator[None]:
    """Sets Pillow's own limit, lower than ours and global, aside while a header is read."""
    with _LIMIT_LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about headers that are refused anyway
        before, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = before

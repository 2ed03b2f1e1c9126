"""Formats of picture files: which are let in, and what a file says before its pixels are decoded."""

import contextlib
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from PIL import (
    AvifImagePlugin,
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    JpegImagePlugin,
    PngImagePlugin,
    PpmImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)

from temperfill.images import bounds, heif, large_profile, sixteen, tiff

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
    Image.DecompressionBombError,
)
# Asked for by name: what a file is not is never tried. MPO is read as the JPEG that it begins with.
_READERS: dict[str, Callable[[BinaryIO], Image.Image]] = {
    "PNG": PngImagePlugin.PngImageFile,
    "JPEG": JpegImagePlugin.JpegImageFile,
    "WEBP": WebPImagePlugin.WebPImageFile,
    "AVIF": AvifImagePlugin.AvifImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "PPM": PpmImagePlugin.PpmImageFile,
}


@dataclass(frozen=True)
class Header:
    """What a picture file says before its pixels.

    Attributes:
        kind: its format, a value of FORMATS.
        size: height and width as stored, before the EXIF orientation, pixels; of HEIF before its crop, too.
        animated: whether it has more than one frame.
        depth: bits of each colour, 8 at least.
        is_cut: whether these are more than the 8 with which the picture is read.
        has_alpha: whether it has a channel of opacity.
    """

    kind: str
    size: tuple[int, int]
    animated: bool
    depth: int = 8
    has_alpha: bool = False
    is_cut: bool = False


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
    width, height = stored_size(image)
    has_alpha = image.mode in ("RGBA", "RGBa", "LA", "La") or (isinstance(image, tiff.DeepTiff) and image.has_alpha)
    return Header(str(image.format), (height, width), animated, depth(image), has_alpha, is_cut(image))


def identify(file: BinaryIO, name: str) -> Image.Image:
    """Reads the header, at the start of the file, once its structure was looked at; raises as ``read_header``."""
    file.seek(0)
    start = file.read(64)
    kind = "HEIF" if heif.is_heif(start) else next((kind for kind in _READERS if _begins(kind, start)), "")
    known = ", ".join(sorted(set(FORMATS.values())))
    if not kind:
        raise ValueError(f"{name} is not a supported picture; supported are {known}")
    read = _READERS.get(kind) or heif.reader(name)
    try:
        bounds.check(file, kind, name)
        file, profile = large_profile.split(file) if kind == "PNG" else (file, b"")
        file.seek(0)
        image = (tiff.deep_tiff(file) if kind == "TIFF" else None) or read(file)
        image.info |= {"icc_profile": profile} if profile else {}
    except bounds.TooMuch:
        raise
    except (OSError, MemoryError, *DECODER_ERRORS) as error:
        reason = one_line(error) or type(error).__name__
        raise ValueError(
            f"{name} is not a supported picture, or is damaged ({kind}: {reason}); supported are {known}"
        ) from None
    if kind == "AVIF":
        image.info["bit_depth"] = avif_depth(file)
    for exif in _exif(image):
        bounds.check_exif(exif, name)
    return image


def has_frames(image: Image.Image) -> bool:
    """Whether the format's further pictures are frames or pages of equal rank; HEIF names its photograph."""
    return image.format != "HEIF"


def stored_size(image: Image.Image) -> tuple[int, int]:
    """Width and height of what is decoded, from the header."""
    width, height = image.info.get("stored_size", image.size)
    return (width, height) if width * height > image.width * image.height else image.size


def depth(image: Image.Image) -> int:
    """Bits of each colour, 8 at least."""
    if isinstance(image, tiff.DeepTiff):
        return image.layout.kind.itemsize * 8
    if image.format in ("HEIF", "AVIF"):
        return max(int(image.info.get("bit_depth", 8)), 8)
    return {"I;16": 16, "I;16B": 16, "I": 32, "F": 32}.get(image.mode, 16 if is_deep(image) else 8)


def is_cut(image: Image.Image) -> bool:
    """Whether the colours of a picture have more than the 8 bits with which it is read."""
    if image.format in ("HEIF", "AVIF"):
        return depth(image) > 8
    return is_deep(image) and not sixteen.is_read_here(image)


def one_line(error: BaseException) -> str:
    """What an error of a decoder says, without line breaks."""
    return " ".join(str(error).split())


def avif_depth(file: BinaryIO) -> int:
    """Bits of each colour of an AVIF, which Pillow does not tell.

    They are flags in the first configuration of its decoder (AV1-ISOBMFF, clause 2.3).
    """
    file.seek(0)
    _, found, after = file.read(1 << 16).partition(b"av1C")
    flags = after[2] if found and len(after) > 2 else 0
    return 8 if not flags & 0x40 else 12 if flags & 0x20 else 10


def _exif(image: Image.Image) -> Iterator[bytes]:
    """EXIF data of a header that was read, not decoded; of PNG also as ImageMagick writes it, in digits."""
    exif, digits = image.info.get("exif"), image.info.get("Raw profile type exif")
    if isinstance(exif, bytes):
        yield exif
    if isinstance(digits, str):
        with contextlib.suppress(ValueError):  # Pillow says so later
            yield bytes.fromhex("".join(digits.split("\n")[3:]))


def _begins(kind: str, start: bytes) -> bool:
    accept = Image.OPEN[kind][1]
    return accept is not None and accept(start) is True


def is_deep(image: Image.Image) -> bool:
    """Whether Pillow cuts the channels of a file down to 8 bits, when it decodes it."""
    if image.mode not in ("RGB", "RGBA", "LA", "CMYK"):
        return False
    return any(
        ";16" in str(arguments) or (codec.startswith("ppm") and arguments[-1] > 255)
        for codec, _, _, arguments in getattr(image, "tile", ())
    )

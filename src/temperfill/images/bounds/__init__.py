"""What is looked at in a stranger's picture file before a decoder is: how many parts it has, and how large they are.

Decoders take each segment, chunk, tag, tile and comment as it comes. A few megabytes can hold millions of them, or ask
for work that grows with their square. So each format has a small parser here that walks over the parts without decoding
any, and refuses files with more of them than photographs and programs make. Its own work is bounded by the same limits.
"""

from collections.abc import Callable
from typing import BinaryIO

from temperfill.images.bounds import boxes, jpeg, plain, png, tiff


class TooMuch(ValueError):
    """A file that asks for more work or memory than a picture needs."""


Check = Callable[[BinaryIO], None]

CHECKS: dict[str, Check] = {
    "PNG": png.check,
    "JPEG": jpeg.check,
    "WEBP": plain.check_webp,
    "AVIF": boxes.check,
    "HEIF": boxes.check,
    "TIFF": tiff.check,
    "BMP": plain.check_bmp,
    "GIF": plain.check_gif,
    "PPM": plain.check_ppm,
}
"""By format: reads a file from its start; raises ValueError for one that asks for too much work or memory."""


def check(file: BinaryIO, kind: str, name: str) -> None:
    """Looks at the structure of a file, and leaves it at any place.

    Args:
        file: open for reading, and seekable.
        kind: its format, a key of CHECKS.
        name: of the file in errors.

    Raises:
        TooMuch: it has more parts, or larger ones, than a picture needs; says which.
        OSError: the file cannot be read.
    """
    file.seek(0)
    try:
        CHECKS[kind](file)
    except ValueError as error:
        raise TooMuch(f"{name} is refused: {error}; save it anew, without its metadata if need be") from None


def check_exif(exif: bytes, name: str) -> None:
    """Looks at EXIF data before it is decoded.

    Args:
        exif: with or without its beginning "Exif".
        name: of the file in errors.

    Raises:
        TooMuch: it holds more values than EXIF does.
    """
    try:
        tiff.check_exif(exif)
    except ValueError as error:
        raise TooMuch(f"{name} is refused: {error}; save it anew without its EXIF data") from None

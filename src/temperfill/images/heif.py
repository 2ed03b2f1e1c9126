"""HEIC and HEIF files: how they are told from others, and what is looked at before pi-heif reads them.

pi-heif bundles libheif and a decoder of HEVC, no encoder. Layout of the boxes: ISO/IEC 14496-12 and 23008-12.
"""

import io
import math
from collections.abc import Callable, Iterator
from typing import BinaryIO

from PIL import Image

from temperfill.extras import how_to_add
from temperfill.images.bounds.boxes import within

# Brands of HEIF files with pictures in HEVC; general ones, that AVIF has too.
_HEVC_BRANDS = frozenset((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"))
_GENERAL_BRANDS = frozenset((b"mif1", b"msf1"))
_AVIF_BRANDS = frozenset((b"avif", b"avis"))
_VERSION = 4  # bytes of version and flags before the content of many boxes


def is_heif(start: bytes) -> bool:
    """Whether a file begins as HEIF does, by its first 64 bytes: a box "ftyp" with its brands."""
    if start[4:8] != b"ftyp":
        return False
    end = min(int.from_bytes(start[:4], "big"), len(start))
    main, others = start[8:12], {start[at : at + 4] for at in range(16, end - 3, 4)}
    return main in _HEVC_BRANDS or (main in _GENERAL_BRANDS and not others & _AVIF_BRANDS)


def reader(name: str) -> Callable[[BinaryIO], Image.Image]:
    """A function that reads the header of a HEIF file, and raises what decoders raise.

    The image's ``info["stored_size"]`` is width and height of the largest item of the file: the size that the image
    itself tells is that of the crop which is asked for, and the whole is decoded before. pi-heif's reader is not
    registered with Pillow, as that would be for the whole process.

    Raises:
        ValueError: pi-heif is not installed; names the file.
    """
    try:
        from pi_heif import HeifImageFile
    except ImportError:
        remedy = f"{how_to_add('heif')}, or save it as JPEG or PNG"
        raise ValueError(f"{name} is a HEIC picture, which is read with the package pi-heif: {remedy}") from None

    def read(file: BinaryIO) -> Image.Image:
        content = file.read()
        _check_texts(content)
        image: Image.Image = HeifImageFile(io.BytesIO(content))
        image.info["stored_size"] = max(_sizes(content), key=math.prod, default=image.size)
        return image

    return read


def _check_texts(content: bytes) -> None:
    """Raises ValueError for names of items that are no text: pi-heif 1.4.0 crashes at them (pillow_heif#478)."""
    for start, end in _properties(content, b"auxC"):
        content[start + _VERSION : end].partition(b"\0")[0].decode()
    for start, end in within(content, _metas(content), b"iinf", _VERSION):
        wide = content[start - _VERSION] > 0  # by the version: how many bytes count the entries
        for entry, stop in within(content, [(start + (4 if wide else 2), end)], b"infe", _VERSION):
            numbers = 6 if content[entry - _VERSION] > 2 else 4  # bytes, before kind and names
            content[entry + numbers : stop].decode()


def _sizes(content: bytes) -> list[tuple[int, int]]:
    """Width and height of each item that has them."""
    found = [content[start + _VERSION : end] for start, end in _properties(content, b"ispe")]
    return [(int.from_bytes(size[:4], "big"), int.from_bytes(size[4:8], "big")) for size in found]


def _metas(content: bytes) -> list[tuple[int, int]]:
    return list(within(content, [(0, len(content))], b"meta", _VERSION))


def _properties(content: bytes, kind: bytes) -> Iterator[tuple[int, int]]:
    """Start and end of the content of all properties of a kind."""
    lists = within(content, list(within(content, _metas(content), b"iprp")), b"ipco")
    return within(content, list(lists), kind)

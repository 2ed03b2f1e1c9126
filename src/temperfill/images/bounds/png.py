"""Chunks of PNG.

Layout: ISO/IEC 15948, section 5. Pillow calls a function for each chunk, twice with the check of its sums.
"""

from collections.abc import Iterator
from typing import BinaryIO

from temperfill.images.bounds import tiff

MOST_CHUNKS = 10_000
"""Chunks of other kinds than pixels and frames."""
MOST_PIXEL_CHUNKS = 100_000
"""Chunks of pixels and frames; of 8 kB in a file of 64 MB there are 8000."""
_PIXELS = frozenset((b"IDAT", b"fdAT", b"fcTL"))
_COLOURS = frozenset((b"gAMA", b"cHRM", b"sRGB", b"cICP"))
_SUM = 4  # bytes of the checksum behind a chunk


def check(file: BinaryIO) -> None:
    """Walks over the chunks of a PNG; raises ValueError for too many, or too many values of EXIF data."""
    file.seek(8)
    chunks = pixel_chunks = 0
    while len(head := file.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind in _PIXELS:
            pixel_chunks += 1
        else:
            chunks += 1
        if chunks > MOST_CHUNKS or pixel_chunks > MOST_PIXEL_CHUNKS:
            raise ValueError(f"it has more than {MOST_CHUNKS:,} chunks, or {MOST_PIXEL_CHUNKS:,} of pixels")
        if kind == b"IEND":
            return
        if kind == b"eXIf":
            tiff.check_exif(file.read(length))
            length = 0
        file.seek(length + _SUM, 1)


def pixel_data(file: BinaryIO) -> Iterator[bytes]:
    """The compressed pixels of a PNG that was checked, chunk by chunk."""
    place = 8
    while True:
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or head[4:] == b"IEND":
            return
        if head[4:] == b"IDAT":
            yield file.read(length)
        place += 8 + length + _SUM


def colour_chunks(file: BinaryIO) -> tuple[tuple[bytes, bytes], ...]:
    """The chunks of a PNG that was checked which say how its colours are meant, besides a profile; each once."""
    place, found = 8, dict[bytes, bytes]()
    while True:
        file.seek(place)
        head = file.read(8)
        length = int.from_bytes(head[:4], "big")
        if len(head) < 8 or head[4:] in (b"IDAT", b"IEND"):
            return tuple(found.items())
        if head[4:] in _COLOURS and length <= 32:
            found[head[4:]] = file.read(length)
        place += 8 + length + _SUM

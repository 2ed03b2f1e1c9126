"""Directories of TIFF, which EXIF data has too: how many values they hold, and into how many parts pixels are cut.

Layout: TIFF 6.0, and BigTIFF. Pillow makes a Python object of each value and of each strip or tile that is not
compressed.
"""

import io
import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

MOST_ENTRIES = 4096
"""Tags of one directory."""
MOST_DIRECTORIES = 8
"""Directories that are looked at: of the first picture, its EXIF and GPS, and of a preview."""
MOST_VALUES = 500_000
"""Numbers in all directories; a palette of 16 bits has 196,608."""
MOST_PARTS = 100_000
"""Strips or tiles; 64 megapixels in tiles of 32x32 have 62,500."""
LARGEST_TILE = 16_000_000
"""Pixels of a tile, if the picture has fewer: a whole tile is decoded."""
_WIDTH, _LENGTH, _TILE_WIDTH, _TILE_LENGTH, _ROWS, _PLANAR = 256, 257, 322, 323, 278, 284
_PARTS = (273, 279, 324, 325)  # offsets and byte counts of strips and tiles
_BELOW = (34665, 34853, 40965)  # EXIF, GPS, interoperability
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8}
# Objects that a value becomes: none for bytes and text, which stay one; a fraction takes as long as twenty numbers.
_COSTS = {1: 0, 2: 0, 7: 0, 5: 20, 10: 20}


@dataclass(frozen=True)
class _Layout:
    """How numbers stand in a file: order of their bytes, and the widths of BigTIFF."""

    order: str
    is_big: bool

    @property
    def entry(self) -> struct.Struct:
        return struct.Struct(self.order + ("HHQ8s" if self.is_big else "HHI4s"))

    @property
    def word(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.is_big else "I"))

    @property
    def count(self) -> struct.Struct:
        return struct.Struct(self.order + ("Q" if self.is_big else "H"))


def check(file: BinaryIO) -> None:
    """Looks at the first picture of a TIFF; raises ValueError for too many values or parts."""
    tags = _Walk(file).tags
    parts = max((count for tag, (count, _) in tags.items() if tag in _PARTS), default=0)
    width, length = (tags.get(tag, (0, 0))[1] for tag in (_WIDTH, _LENGTH))
    tile = tags.get(_TILE_WIDTH, (0, 0))[1], tags.get(_TILE_LENGTH, (0, 0))[1]
    if 0 not in tile:
        area = tile[0] * tile[1]
        if area > max(LARGEST_TILE, width * length):
            raise ValueError(f"its tiles have {tile[0]}x{tile[1]} pixels, the picture {width}x{length}")
        planes = 4 if tags.get(_PLANAR, (0, 0))[1] == 2 else 1
        parts = max(parts, planes * math.ceil(width / tile[0]) * math.ceil(length / tile[1]))
    elif rows := tags.get(_ROWS, (0, 0))[1]:
        parts = max(parts, math.ceil(length / rows))
    if parts > MOST_PARTS:
        raise ValueError(f"its pixels lie in {parts:,} parts, above the limit of {MOST_PARTS:,}")


def check_exif(exif: bytes) -> None:
    """Raises ValueError for EXIF data with too many values."""
    start = 0
    while exif.startswith(b"Exif\0\0", start):
        start += 6
    _Walk(io.BytesIO(exif[start:]))


class _Walk:
    """Walks over the directories of one picture.

    Args:
        file: with the head of a TIFF where it stands.

    Attributes:
        tags: of the first directory: how many values each tag has, and the first of those that are whole numbers.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.tags: dict[int, tuple[int, int]] = {}
        self._file = file
        self._base = file.tell()
        self._end = file.seek(0, io.SEEK_END) - self._base
        self._values = 0
        head = self._read(0, 16)
        order = {b"II": "<", b"MM": ">"}.get(head[:2])
        if order is None or len(head) < 8:
            return  # Pillow refuses it
        self._layout = _Layout(order, 43 in head[2:4])
        places = [self._layout.word.unpack_from(head, 8 if self._layout.is_big else 4)[0]] if len(head) == 16 else []
        places = places or [struct.unpack_from(order + "I", head, 4)[0]]
        for number in range(MOST_DIRECTORIES):
            if number == len(places):
                return
            tags, next_place = self._directory(places[number])
            self.tags = self.tags or tags
            found = [tags[tag][1] for tag in _BELOW if tag in tags] + ([next_place] if number == 0 else [])
            places += [place for place in found if place and place not in places]

    def _read(self, start: int, length: int) -> bytes:
        if start >= self._end:
            return b""
        self._file.seek(self._base + start)
        return self._file.read(length)

    def _directory(self, place: int) -> tuple[dict[int, tuple[int, int]], int]:
        """The tags of a directory, and where the next one begins; what is cut off is left to the decoder."""
        layout = self._layout
        head = self._read(place, layout.count.size)
        if len(head) < layout.count.size:
            return {}, 0
        number = layout.count.unpack(head)[0]
        if number > MOST_ENTRIES:
            raise ValueError(f"a directory of it has {number:,} tags, above the limit of {MOST_ENTRIES:,}")
        content = self._read(place + layout.count.size, number * layout.entry.size + layout.word.size)
        tags: dict[int, tuple[int, int]] = {}
        for tag, kind, count, data in self._entries(content, number):
            size = _SIZES.get(kind, 0) * count
            if tag in tags or not size or size > self._end:
                continue  # as Pillow passes over it
            self._values += count * _COSTS.get(kind, 1)
            if self._values > MOST_VALUES:
                raise ValueError(f"its tags hold more than {MOST_VALUES:,} values")
            tags[tag] = count, self._first(kind, size, data)
        at = number * layout.entry.size
        whole = len(content) == at + layout.word.size
        return tags, layout.word.unpack_from(content, at)[0] if whole else 0

    def _entries(self, content: bytes, number: int) -> Iterator[tuple[int, int, int, bytes]]:
        entry = self._layout.entry
        for at in range(0, min(number * entry.size, len(content) - entry.size + 1), entry.size):
            yield entry.unpack_from(content, at)

    def _first(self, kind: int, size: int, data: bytes) -> int:
        """The first value of a tag of whole numbers above 0, else 0."""
        letter = {1: "B", 3: "H", 4: "I", 13: "I", 16: "Q", 8: "h", 9: "i"}.get(kind)
        if letter is None:
            return 0
        form = struct.Struct(self._layout.order + letter)
        if size > len(data):
            data = self._read(self._layout.word.unpack(data)[0], form.size)
        return max(int(form.unpack_from(data)[0]), 0) if len(data) >= form.size else 0

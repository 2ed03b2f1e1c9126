"""Boxes of AVIF and HEIF.

Layout: ISO/IEC 14496-12 and 23008-12. Their libraries search the list of items for each entry of each table about them,
so that work grows with the square of the tables.
"""

import io
from collections.abc import Iterator
from typing import BinaryIO

from temperfill.images.bounds import tiff

MOST_BOXES = 20_000
"""Boxes in one search."""
MOST_ABOUT_ITEMS = 250_000
"""Bytes of the tables about items, without profiles and data; a photograph in 192 tiles has about 10,000."""
MOST_PLACES = 20_000
"""Parts in which the items lie."""
MOST_ABOUT_FRAMES = 4_000_000
"""Bytes of the tables about frames."""
_VERSION = 4  # bytes of version and flags before the content of many boxes
_HELD = (b"idat", b"colr", b"free", b"skip")

Span = tuple[int, int]


def check(file: BinaryIO) -> None:
    """Looks at the tables of an AVIF or HEIF; raises ValueError for what is too large."""
    top = list(_outermost(file))
    for kind, start, end in top:
        if kind == b"moov" and end - start > MOST_ABOUT_FRAMES:
            raise ValueError(f"its tables of frames have more than {MOST_ABOUT_FRAMES / 1e6:g} MB")
        if kind in (b"meta", b"moov"):
            file.seek(start)
            content = file.read(end - start)
            metas = [(0, len(content))] if kind == b"meta" else _of_tracks(content)
            for first, last in metas:
                _check_meta(file, content[first:last])


def within(content: bytes, places: list[Span], kind: bytes, skip: int = 0) -> Iterator[Span]:
    """Start and end of the boxes of a kind that follow one another in some places.

    Args:
        content: of the whole file, or of a box of it.
        places: start and end of where boxes follow one another.
        kind: of the boxes.
        skip: bytes after the head of each that are passed over.

    Raises:
        ValueError: there are more than MOST_BOXES.
    """
    for name, start, end in _boxes(content, places):
        if name == kind:
            yield start + skip, end


def _boxes(content: bytes, places: list[Span]) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and start and end of the content, of all boxes in some places."""
    count = 0
    for start, end in places:
        while start + 8 <= end:
            size, name, head = _head(content[start : start + 16], end - start)
            if size < head:
                break
            count += 1
            if count > MOST_BOXES:
                raise ValueError(f"it has more than {MOST_BOXES:,} boxes")
            yield name, start + head, min(start + size, end)
            start += size


def _outermost(file: BinaryIO) -> Iterator[tuple[bytes, int, int]]:
    """As ``_boxes``, of a file of which nothing but the heads is read."""
    end, start, count = file.seek(0, io.SEEK_END), 0, 0
    while start + 8 <= end:
        file.seek(start)
        size, name, head = _head(file.read(16), end - start)
        count += 1
        if size < head:
            return
        if count > MOST_BOXES:
            raise ValueError(f"it has more than {MOST_BOXES:,} boxes")
        yield name, start + head, min(start + size, end)
        start += size


def _head(data: bytes, rest: int) -> tuple[int, bytes, int]:
    """Size with the head, kind, and size of the head of a box."""
    size, name, head = int.from_bytes(data[:4], "big"), data[4:8], 8
    if size == 1:  # stands behind the name, with twice the bytes
        size, head = int.from_bytes(data[8:16], "big"), 16
    return size or rest, name, head


def _check_meta(file: BinaryIO, content: bytes) -> None:
    whole = [(_VERSION, len(content))]
    held = sum(end - start for name, start, end in _boxes(content, whole) if name in _HELD)
    properties = list(within(content, list(within(content, whole, b"iprp")), b"ipco"))
    held += sum(end - start for name, start, end in _boxes(content, properties) if name in _HELD)
    if len(content) - held > MOST_ABOUT_ITEMS:
        raise ValueError(f"its tables of items have more than {MOST_ABOUT_ITEMS / 1e6:g} MB")
    exif = {number for number, kind in _items(content, whole) if kind == b"Exif"}
    held_at = next(within(content, whole, b"idat"), (0, 0))[0]
    for number, is_held, spans in _places(content, whole):
        if number in exif:
            place = io.BytesIO(content[held_at:]) if is_held else file
            _check_exif(place, spans)


def _of_tracks(content: bytes) -> list[Span]:
    tracks = list(within(content, [(0, len(content))], b"trak"))
    return list(within(content, tracks, b"meta"))


def _check_exif(file: BinaryIO, spans: list[Span]) -> None:
    """Looks at the EXIF data of an item: four bytes that say where it begins, then the data."""
    end = file.seek(0, io.SEEK_END)
    if sum(length for _, length in spans) > end:
        raise ValueError("the parts of its EXIF data overlap")
    data = bytearray()
    for start, length in spans:
        file.seek(min(start, end))
        data += file.read(length or end)
    for start in {4, 4 + int.from_bytes(data[:4], "big")}:
        tiff.check_exif(bytes(data[start:]))


def _items(content: bytes, whole: list[Span]) -> Iterator[tuple[int, bytes]]:
    """Number and kind of each item."""
    for start, end in within(content, whole, b"iinf", _VERSION):
        wide = content[start - _VERSION] > 0
        for entry, stop in within(content, [(start + (4 if wide else 2), end)], b"infe", _VERSION):
            width = 4 if content[entry - _VERSION] > 2 else 2
            if entry + width + 6 <= stop:
                at = entry + width
                yield int.from_bytes(content[entry:at], "big"), content[at + 2 : at + 6]


def _places(content: bytes, whole: list[Span]) -> Iterator[tuple[int, bool, list[Span]]]:
    """Of each item its number, whether it lies in the box "idat", and start and length of its parts."""
    for start, end in within(content, whole, b"iloc"):
        version, reader = content[start], _Reader(content, start + _VERSION, end)
        sizes, more = reader.number(1), reader.number(1)
        offset_size, length_size, base_size, index_size = sizes >> 4, sizes & 15, more >> 4, more & 15
        count = 0
        for _ in range(reader.number(4 if version > 1 else 2)):
            if reader.is_at_end:
                break
            number = reader.number(4 if version > 1 else 2)
            method = reader.number(2) & 15 if version > 0 else 0
            reader.number(2)
            base, spans = reader.number(base_size), []
            parts = reader.number(2)
            count += parts
            if count > MOST_PLACES:
                raise ValueError(f"its items lie in more than {MOST_PLACES:,} parts")
            for _ in range(parts):
                if reader.is_at_end:
                    break
                reader.number(index_size if version > 0 else 0)
                place = base + reader.number(offset_size)
                spans.append((place, reader.number(length_size)))
            yield number, method == 1, spans


class _Reader:
    """Whole numbers one after the other; zeros behind the end."""

    def __init__(self, content: bytes, start: int, end: int) -> None:
        self._content, self._at, self._end = content, start, end

    @property
    def is_at_end(self) -> bool:
        return self._at >= self._end

    def number(self, width: int) -> int:
        value = int.from_bytes(self._content[self._at : min(self._at + width, self._end)], "big")
        self._at += width
        return value

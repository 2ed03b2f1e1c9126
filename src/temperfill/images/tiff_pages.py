"""The further pages of a TIFF, carried over as they are.

A page is a directory of tags with what they point to: values, strips or tiles, and the directories of EXIF (TIFF 6.0,
section 2). Nothing of it is decoded.
"""

import io
import struct
from dataclasses import dataclass
from typing import BinaryIO, Literal

Order = Literal["<", ">"]

MOST_PAGES = 1000
_MOST_ENTRIES = 4096
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4}
_PARTS = {273: 279, 324: 325}  # where strips or tiles begin, and how long they are
_BELOW = (34665, 34853, 40965)  # EXIF, GPS, interoperability
_NOT_CARRIED = (330, 513, 514)  # further directories below a page, previews
_KIND, _REDUCED = 254, 1  # NewSubfileType: a smaller copy of another page
_LONG = 4


@dataclass(frozen=True)
class Page:
    """A directory and what it points to.

    Attributes:
        values: type, number and bytes of each tag.
        parts: strips or tiles, by the tag that says where they begin.
        below: further directories, by their tags.
    """

    values: dict[int, tuple[int, int, bytes]]
    parts: dict[int, list[bytes]]
    below: dict[int, "Page"]

    @property
    def is_reduced(self) -> bool:
        """Whether it shows another page in small."""
        flags = sum(self.values[_KIND][2]) if _KIND in self.values else 0  # one byte counts, in any order of them
        return flags & _REDUCED == _REDUCED


@dataclass(frozen=True)
class Pages:
    """All pages of a file but the first.

    Attributes:
        order: of their bytes.
        pages: in the order of the file, without those that show others in small.
    """

    order: Order
    pages: tuple[Page, ...]


def read_pages(file: BinaryIO) -> Pages:
    """The further pages of a TIFF.

    Raises:
        ValueError: damaged, too many, parts that overlap, or BigTIFF.
        LookupError: a tag is missing.
    """
    head = _part(file, 0, 8)
    order: Order = ">" if head[:2] == b"MM" else "<"
    if struct.unpack_from(order + "H", head, 2)[0] != 42:
        raise ValueError("pages of BigTIFF are not carried over")
    reader = _Reader(file, order)
    (place,) = struct.unpack_from(order + "I", head, 4)
    seen: set[int] = set()
    found = []
    place = reader.next_of(place)
    while place:
        if place in seen or len(seen) == MOST_PAGES:
            raise ValueError("pages that follow one another in a ring, or too many")
        seen.add(place)
        found.append(reader.page(place))
        place = reader.next_of(place)
    return Pages(order, tuple(page for page in found if not page.is_reduced))


def append_pages(file: bytearray, pages: Pages, link: int) -> None:
    """Writes pages at the end of a TIFF in their order of bytes.

    Args:
        file: whose last directory ends with four bytes of zeros.
        pages: to be added.
        link: where these bytes are.
    """
    for page in pages.pages:
        start, after = _append(file, pages.order, page)
        file[link : link + 4] = struct.pack(pages.order + "I", start)
        link = after


class _Reader:
    """Reads directories; what all of them hold is no more than the file."""

    def __init__(self, file: BinaryIO, order: Order) -> None:
        self.file, self.order = file, order
        self.left = file.seek(0, io.SEEK_END)

    def next_of(self, place: int) -> int:
        """Where the directory after another one begins, 0 after the last."""
        (count,) = struct.unpack(self.order + "H", _part(self.file, place, 2))
        (found,) = struct.unpack(self.order + "I", _part(self.file, place + 2 + 12 * count, 4))
        return int(found)

    def page(self, place: int, depth: int = 0) -> Page:
        """A directory with what it points to."""
        (count,) = struct.unpack(self.order + "H", _part(self.file, place, 2))
        if count > _MOST_ENTRIES or depth > len(_BELOW):
            raise ValueError("too many tags")
        values, below = {}, {}
        for at in range(place + 2, place + 2 + 12 * count, 12):
            tag, kind, number, inline = struct.unpack(self.order + "HHI4s", _part(self.file, at, 12))
            size = _SIZES.get(kind, 0) * number
            if tag in _BELOW:
                below[tag] = self.page(struct.unpack(self.order + "I", inline)[0], depth + 1)
            elif size and tag not in _NOT_CARRIED:
                (start,) = struct.unpack(self.order + "I", inline)
                values[tag] = (kind, number, inline[:size] if size <= 4 else self._take(start, size))
        parts = {}
        for tag, lengths in _PARTS.items():
            if tag in values:
                ends = zip(self._numbers(values.pop(tag)), self._numbers(values[lengths]), strict=True)
                parts[tag] = [self._take(start, length) for start, length in ends]
        return Page(values, parts, below)

    def _take(self, start: int, length: int) -> bytes:
        self.left -= length
        if self.left < 0:
            raise ValueError("parts of the file that overlap")
        return _part(self.file, start, length)

    def _numbers(self, value: tuple[int, int, bytes]) -> tuple[int, ...]:
        kind, number, content = value
        return struct.unpack(f"{self.order}{number}{'H' if _SIZES[kind] == 2 else 'I'}", content)


def _part(file: BinaryIO, start: int, length: int) -> bytes:
    file.seek(start)
    found = file.read(length)
    if len(found) < length:
        raise ValueError("the file ends in it")
    return found


def append_entry(file: bytearray, order: str, tag: int, kind: int, number: int, content: bytes) -> bytes:
    """The 12 bytes of a directory's entry; content of more than four bytes is written behind the file."""
    if len(content) > 4:
        file += bytes(len(file) % 2)
        place = struct.pack(order + "I", len(file))
        file += content
    else:
        place = content.ljust(4, b"\0")
    return struct.pack(order + "HHI", tag, kind, number) + place


def _append(file: bytearray, order: Order, page: Page) -> tuple[int, int]:
    """Writes a page; where it begins, and where the place of the next one is said."""
    values = dict(page.values)
    for tag, parts in page.parts.items():
        starts = []
        for part in parts:
            starts.append(len(file))
            file += part
        values[tag] = (_LONG, len(parts), struct.pack(f"{order}{len(parts)}I", *starts))
    for tag, below in page.below.items():
        values[tag] = (_LONG, 1, struct.pack(order + "I", _append(file, order, below)[0]))
    entries = b""
    for tag in sorted(values):
        kind, number, content = values[tag]
        entries += append_entry(file, order, tag, kind, number, content)
    file += bytes(len(file) % 2)
    start = len(file)
    file += struct.pack(order + "H", len(values)) + entries + bytes(4)
    return start, len(file) - 4

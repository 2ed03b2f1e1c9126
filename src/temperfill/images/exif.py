"""EXIF data and the tags of TIFF as they stand in a file: directories of values with their types, none of them guessed.

Layout: TIFF 6.0, section 2, BigTIFF, and Exif 2.32 (CIPA DC-008), section 4.6.
"""

import io
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

ORIENTATION, SUBJECT_AREA, SUBJECT_LOCATION, MAKER_NOTE, WIDTH, HEIGHT = 274, 37396, 41492, 37500, 40962, 40963
RESOLUTION_UNIT = 296
SHORT, LONG, UNDEFINED = 3, 4, 7
MOST_BYTES = 64_000_000
"""Of one value."""
_MOST_ENTRIES = 4096
_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
_BELOW = {34665: "exif", 34853: "gps", 40965: "interoperability"}
_NUMBERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 16: "Q"}
PREFIX = b"Exif\0\0"


@dataclass(frozen=True)
class Value:
    """What stands behind a tag.

    Attributes:
        kind: number of its type.
        content: its bytes, in the order of its file.
    """

    kind: int
    content: bytes


Directory = dict[int, Value]


@dataclass(frozen=True)
class Exif:
    """The directories that describe a picture; previews and pages are left out.

    Attributes:
        order: of bytes, "<" or ">".
        main: tags of the picture.
        exif: of how it was taken.
        gps: of where.
        interoperability: of what rules the file follows.
    """

    order: str = "<"
    main: Directory = field(default_factory=dict)
    exif: Directory = field(default_factory=dict)
    gps: Directory = field(default_factory=dict)
    interoperability: Directory = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether it says anything."""
        return bool(self.main or self.exif or self.gps)

    def numbers(self, directory: Directory, tag: int) -> tuple[int, ...]:
        """The whole numbers behind a tag; none where there are none."""
        value = directory.get(tag)
        if value is None or value.kind not in _NUMBERS:
            return ()
        count = len(value.content) // _SIZES[value.kind]
        return struct.unpack(f"{self.order}{count}{_NUMBERS[value.kind]}", value.content)

    def number(self, kind: int, *numbers: int) -> Value:
        """Whole numbers of a type, as a value in the order of bytes."""
        return Value(kind, struct.pack(f"{self.order}{len(numbers)}{_NUMBERS[kind]}", *numbers))

    def without(self, name: str, tag: int) -> "Exif":
        """The same without a tag of the directory of this name."""
        rest: dict[str, Any] = {name: {key: value for key, value in getattr(self, name).items() if key != tag}}
        return replace(self, **rest)

    def encoded(self) -> bytes:
        """EXIF data with the beginning that JPEG has; empty where nothing is said."""
        if not self:
            return b""
        head = (b"MM\0*" if self.order == ">" else b"II*\0") + struct.pack(self.order + "I", 8)
        file = bytearray(head)
        _write(file, self)
        return PREFIX + bytes(file)


_NAMES = tuple(_BELOW.values())


def read(source: bytes | BinaryIO) -> Exif:
    """The directories of EXIF data or of the first picture of a TIFF; what is damaged in them is left out.

    Args:
        source: with or without the beginning that JPEG has, or a TIFF open for reading.
    """
    if isinstance(source, bytes):
        source = io.BytesIO(source[prefixes(source) :])
    source.seek(0)
    head = source.read(8)
    order = {b"II": "<", b"MM": ">"}.get(head[:2])
    if order is None or len(head) < 8:
        return Exif()
    is_big = struct.unpack(order + "H", head[2:4])[0] == 43
    start = struct.unpack(order + "Q", source.read(8).ljust(8, b"\0"))[0] if is_big else _word(order, head[4:])
    found = {"main": dict(_entries(source, order, start, is_big))}
    for above, tag in (("main", 34665), ("main", 34853), ("exif", 40965)):
        numbers = Exif(order).numbers(found.get(above, {}), tag)
        found[_BELOW[tag]] = dict(_entries(source, order, numbers[0], is_big)) if numbers else {}
    for directory in found.values():
        for tag in _BELOW:
            directory.pop(tag, None)
    return Exif(order, **found)


def prefixes(exif: bytes) -> int:
    """Bytes of the beginnings that JPEG has before EXIF data; some programs write several."""
    at = 0
    while exif.startswith(PREFIX, at):
        at += len(PREFIX)
    return at


def _word(order: str, content: bytes) -> int:
    number: int = struct.unpack(order + "I", content)[0]
    return number


def _entries(file: BinaryIO, order: str, start: int, is_big: bool) -> Iterator[tuple[int, Value]]:
    count, word = (struct.Struct(order + kind) for kind in (("Q", "Q") if is_big else ("H", "I")))
    entry = struct.Struct(order + ("HHQ8s" if is_big else "HHI4s"))
    raw = _part(file, start, count.size)
    number = count.unpack(raw)[0] if len(raw) == count.size else 0
    table = _part(file, start + count.size, min(number, _MOST_ENTRIES) * entry.size)
    left = file.seek(0, io.SEEK_END)  # values that share bytes could be any number of times as long as the file
    for tag, kind, length, place in entry.iter_unpack(table[: len(table) // entry.size * entry.size]):
        size = _SIZES.get(kind, 0) * length
        if not 0 < size <= MOST_BYTES:
            continue
        left -= size
        if left < 0:
            return
        content = place[:size] if size <= len(place) else _part(file, word.unpack(place)[0], size)
        if len(content) == size:
            yield tag, _narrow(Value(kind, content), order)


def _part(file: BinaryIO, start: int, size: int) -> bytes:
    if start >= file.seek(0, io.SEEK_END):
        return b""
    file.seek(start)
    return file.read(size)


def _narrow(value: Value, order: str) -> Value:
    """A place in BigTIFF as one of 32 bits, which all formats know."""
    if value.kind not in (16, 18) or len(value.content) != 8:
        return value
    return Value(LONG, value.content[:4] if order == "<" else value.content[4:])


def _write(file: bytearray, exif: Exif) -> None:
    """Writes the directories behind the head of a file, and points to the first."""
    links: dict[str, Directory] = {"main": {}, "exif": {}}
    for tag, name, above in (
        (40965, "interoperability", "exif"), (34665, "exif", "main"), (34853, "gps", "main"),
    ):  # fmt: skip
        directory: Directory = getattr(exif, name) | links.get(name, {})
        if directory:
            links[above][tag] = exif.number(LONG, _written(file, exif.order, directory))
    start = _written(file, exif.order, exif.main | links["main"])
    file[4:8] = struct.pack(exif.order + "I", start)


def _written(file: bytearray, order: str, directory: Directory) -> int:
    """Writes a directory behind a file; where it starts."""
    entries = [_entry(file, order, tag, directory[tag]) for tag in sorted(directory)]
    file += bytes(len(file) % 2)
    start = len(file)
    file += struct.pack(order + "H", len(entries)) + b"".join(entries) + bytes(4)
    return start


def _entry(file: bytearray, order: str, tag: int, value: Value) -> bytes:
    """The twelve bytes of a tag, whose content is written behind the file where it is longer than four."""
    place = value.content.ljust(4, b"\0")
    if len(value.content) > 4:
        file += bytes(len(file) % 2)
        place = struct.pack(order + "I", len(file))
        file += value.content
    return struct.pack(order + "HHI", tag, value.kind, len(value.content) // _SIZES[value.kind]) + place

"""Colour profiles of PNG above the megabyte up to which Pillow unpacks them, as profiles of printers have."""

import io
import zlib
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

LARGEST = 16_000_000
"""Bytes of a profile that is read."""
_PILLOW_READS = 1_000_000
_MOST_CHUNKS = 1000  # before the profile, which stands in front of palette and pixels


def split(file: BinaryIO) -> tuple[BinaryIO, bytes]:
    """A PNG without its colour profile, and the profile, if that is one that Pillow does not unpack; else as it is.

    Args:
        file: of a PNG whose structure was looked at; left at any place.

    Raises:
        ValueError: the profile is larger than LARGEST.
    """
    start, length = _find(file)
    if length == 0:
        return file, b""
    file.seek(start + 8)
    name, _, packed = file.read(length).partition(b"\0")
    unpacker = zlib.decompressobj()
    try:
        profile = unpacker.decompress(packed[1:], LARGEST) if packed[:1] == b"\0" else b""
    except zlib.error:
        return file, b""  # Pillow passes over it
    if unpacker.unconsumed_tail:
        raise ValueError(f"its colour profile {name[:79]!r} has more than {LARGEST / 1e6:g} MB")
    if len(profile) <= _PILLOW_READS:
        return file, b""
    return io.BufferedReader(_Without(file, start, start + length + 12)), profile


def _find(file: BinaryIO) -> tuple[int, int]:
    """Where the chunk of the profile begins, and the length of its content; 0 for none."""
    file.seek(8)
    for _ in range(_MOST_CHUNKS):
        start = file.tell()
        head = file.read(8)
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if kind == b"iCCP":
            return start, length
        if len(head) < 8 or kind in (b"IDAT", b"PLTE"):
            break
        file.seek(length + 4, 1)
    return 0, 0


class _Without(io.RawIOBase):
    """A file in which some bytes do not exist."""

    def __init__(self, file: BinaryIO, start: int, end: int) -> None:
        self._file, self._start, self._gap = file, start, end - start
        self._size = file.seek(0, io.SEEK_END) - self._gap
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = max({io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence] + offset, 0)
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        view = memoryview(buffer)
        is_before = self._at < self._start
        self._file.seek(self._at if is_before else self._at + self._gap)
        content = self._file.read(min(len(view), self._start - self._at) if is_before else len(view))
        view[: len(content)] = content
        self._at += len(content)
        return len(content)

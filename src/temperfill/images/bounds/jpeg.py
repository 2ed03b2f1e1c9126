"""Segments of JPEG, and the scans of progressive files.

Layout: ITU-T T.81, Annex B. Pillow keeps each segment as an object, joins those with EXIF data one by one, reads
single bytes where no segment begins, and gives the file to libjpeg-turbo, which goes over all blocks in each scan.
"""

import re
from typing import BinaryIO

from temperfill.images.bounds import tiff

MOST_SEGMENTS = 2000
"""Segments; a profile or an extended XMP of 64 MB has 1000."""
MOST_EXIF = 2_000_000
"""Bytes of EXIF data in all segments; one holds 65,533."""
MOST_TABLES = 1_000_000
"""Bytes of tables, frames and the like; photographs have about 1000."""
MOST_RESOURCES = 20_000
"""Image resources of Photoshop."""
MOST_JUNK = 65_536
"""Bytes between segments."""
MOST_SCANS = 100
"""Scans, as libtiff allows; encoders write about ten."""
MOST_SCANNED = 2_000_000_000
"""Scans times pixels of one plane."""
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_LENGTHLESS = frozenset((0xC8, *range(0xD0, 0xDA), *range(0xF0, 0xFE)))
_FRAMES = frozenset((*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0), 0xDE))
_START_OF_SCAN, _END = 0xDA, 0xD9
_BLOCK = 1 << 16


def check(file: BinaryIO) -> None:
    """Walks over the segments of a JPEG; raises ValueError for too many, or too many scans."""
    walk = _Walk(file)
    file.seek(2)
    while (marker := walk.next_marker()) is not None:
        if marker in _LENGTHLESS:
            continue
        content = walk.segment(marker)
        if marker == _START_OF_SCAN:
            tiff.check_exif(bytes(walk.exif))
            walk.scans(content)
            return


class _Walk:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.exif = bytearray()
        self._segments = self._tables = self._resources = self._junk = 0
        self._pixels, self._components, self._is_progressive = 0, 0, False

    def next_marker(self) -> int | None:
        """The next marker before the pixels; None where Pillow refuses what comes, or nothing does."""
        last = b""
        while byte := self._file.read(1):
            if last == b"\xff" and byte not in (b"\0", b"\xff"):
                return byte[0] if byte[0] >= 0xC0 else None
            self._junk += 1  # the first byte of each marker, too
            if self._junk > MOST_JUNK:
                raise ValueError(f"it has more than {MOST_JUNK:,} bytes between its segments")
            last = byte
        return None

    def segment(self, marker: int) -> bytes:
        """The content of a segment, counted."""
        self._segments += 1
        if self._segments > MOST_SEGMENTS:
            raise ValueError(f"it has more than {MOST_SEGMENTS:,} segments")
        content = self._file.read(max(int.from_bytes(self._file.read(2), "big") - 2, 0))
        if marker == 0xE1 and content.startswith(b"Exif\0\0"):
            self.exif += content[6:]
            if len(self.exif) > MOST_EXIF:
                raise ValueError(f"it has more than {MOST_EXIF / 1e6:g} MB of EXIF data")
        elif marker == 0xED:
            self._resources += content.count(b"8BIM")
            if self._resources > MOST_RESOURCES:
                raise ValueError(f"it has more than {MOST_RESOURCES:,} image resources")
        elif marker < 0xE0:
            self._tables += len(content)
            if self._tables > MOST_TABLES:
                raise ValueError(f"it has more than {MOST_TABLES / 1e6:g} MB of tables")
        if marker in _FRAMES and len(content) > 5:
            height, width = int.from_bytes(content[1:3], "big"), int.from_bytes(content[3:5], "big")
            self._pixels, self._components = max(self._pixels, height * width), content[5]
            self._is_progressive = self._is_progressive or marker in (0xC2, 0xC6, 0xCA, 0xCE)
        return content

    def scans(self, first: bytes) -> None:
        """Counts the scans of a file that has more than one; another one's rest is never read."""
        if not self._is_progressive and first[:1] == bytes([self._components]):
            return
        scans = 1
        while (marker := self._marker_in_pixels()) is not None and marker != _END:
            if marker not in _LENGTHLESS and marker >= 0xC0:
                self.segment(marker)
            scans += marker == _START_OF_SCAN
            if scans > MOST_SCANS or scans * self._pixels > max(MOST_SCANNED, 12 * self._pixels):
                raise ValueError(f"it has more scans than encoders write ({scans:,} of {self._pixels:,} pixels)")

    def _marker_in_pixels(self) -> int | None:
        """The next marker that is no part of a scan; leaves the file behind it."""
        while block := self._file.read(_BLOCK):
            found = _MARKER.search(block)
            if found is not None:
                self._file.seek(found.end() - len(block), 1)
                return block[found.end() - 1]
            if block.endswith(b"\xff") and len(block) > 1:
                self._file.seek(-1, 1)
        return None

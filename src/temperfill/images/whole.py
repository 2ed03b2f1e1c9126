"""Whether a file has pixels up to the end of the picture, where its format tells and decoders go on without a word.

libjpeg fills what a scan lacks with grey, once it has found an end marker. Pillow leaves rows black that a PNG does not
have, and strips of TIFF as they are in which the data end early. What is damaged in the middle, so that as many pixels
come out as there should be, is told by PNG's checksums alone.
"""

import io
import re
import zlib
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from PIL import Image, JpegImagePlugin, PngImagePlugin, TiffImagePlugin

from temperfill.images.bounds.png import pixel_data
from temperfill.images.picture import bands

_MARKER = re.compile(rb"\xff+[^\x00\xd0-\xd7\xff]")
_END, _SCAN = 0xD9, 0xDA
# What is put behind the last scan, to see whether it is taken for pixels; with restarts of each number.
_MORE = b"\x55" * 4096 + b"".join(bytes((0xFF, 0xD0 + number)) + b"\x55" * 512 for number in range(8))
_CHANGED = 512  # pixels that must change, or a 16th of them; some encoders leave out the last bits
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}  # of a PNG by its kind of colours
_DEFLATE = (8, 32946)  # kinds of compression of TIFF
_OFFSETS, _COUNTS = (273, 324), (279, 325)  # tags of strips and of tiles


def check(image: Image.Image, file: BinaryIO) -> None:
    """Raises ValueError for a file that ends before its picture does.

    Args:
        image: decoded by Pillow, or a TIFF or PNG whose pixels were read otherwise.
        file: open for reading; it is left at any place.
    """
    if isinstance(image, PngImagePlugin.PngImageFile):
        _check_png(file)
    elif isinstance(image, JpegImagePlugin.JpegImageFile):
        _check_jpeg(image, file)
    elif isinstance(image, TiffImagePlugin.TiffImageFile):
        _check_tiff(image, file)


def _check_png(file: BinaryIO) -> None:
    file.seek(16)
    head = file.read(13)
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    bits, interlaced = head[8] * _CHANNELS.get(head[9], 1), head[12] == 1
    wanted = 0
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        wanted += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    if (found := _inflated(pixel_data(file), wanted)) < wanted:
        raise ValueError(f"its pixels end at {found / wanted:.0%}")


def _inflated(parts: Iterator[bytes], wanted: int) -> int:
    """Bytes that come out of a zlib stream in parts, up to as many as are wanted."""
    unpack, found = zlib.decompressobj(), 0
    for part in parts:
        while part and found < wanted and not unpack.eof:
            found += len(unpack.decompress(part, 1 << 20))
            part = unpack.unconsumed_tail
    return found


def _check_jpeg(image: JpegImagePlugin.JpegImageFile, file: BinaryIO) -> None:
    """Compares the picture with what it is when more data stand before the end marker: a whole scan ignores them."""
    width, height = image.size
    last = image.crop((max(width - 4, 0), height - 1, width, height))
    if "progressive" not in image.info and len(last.getcolors() or ()) > 1:
        return  # what is missing at the end would be of one colour
    file.seek(0)
    content = file.read()
    end = _end_of_scans(content)
    if end is None:
        return  # Pillow refuses it
    other = JpegImagePlugin.JpegImageFile(io.BytesIO(content[:end] + _MORE + b"\xff\xd9"))
    pairs = zip(bands(image), bands(other), strict=True)
    differ = ((own != more).reshape(len(own), width, -1).any(2) for own, more in pairs)
    changed = sum(map(np.count_nonzero, differ))
    if changed > min(_CHANGED, width * height / 16):
        raise ValueError("its pixels end before the picture does")


def _end_of_scans(content: bytes) -> int | None:
    """Where the end marker behind the last scan stands; None without one."""
    place, seen = 2, False
    while (found := _MARKER.search(content, place)) is not None:
        kind = content[found.end() - 1]
        if kind == _END and seen:
            return found.start()
        seen |= kind == _SCAN
        place = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    return None


def _check_tiff(image: TiffImagePlugin.TiffImageFile, file: BinaryIO) -> None:
    """Looks at strips and tiles that are deflated, each to its end; other kinds of compression do not tell."""
    tags = image.tag_v2
    if tags.get(259) not in _DEFLATE:
        return
    for offsets, counts in zip(_OFFSETS, _COUNTS, strict=True):
        for offset, count in zip(tags.get(offsets, ()), tags.get(counts, ()), strict=False):
            file.seek(offset)
            unpack = zlib.decompressobj()
            part = file.read(count)
            while part and not unpack.eof:
                unpack.decompress(part, 1 << 20)
                part = unpack.unconsumed_tail
            if not unpack.eof:
                raise ValueError("a strip or tile of its pixels ends early")

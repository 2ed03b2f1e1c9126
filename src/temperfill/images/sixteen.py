"""PNG and PPM with 16 bits for each colour, of which Pillow reads 8 and writes none.

Filters of PNG: W3C Recommendation, third edition, clause 9.
"""

import io
import struct
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, PngImagePlugin, PpmImagePlugin

from temperfill.images import large_profile

Deep = NDArray[np.uint16]

# By how Pillow unpacks: what gives the upper bytes, and what the lower ones.
_HALVES = {"RGB;16B": ("RGB;16B", "RGB;16L"), "RGBA;16B": ("RGBA;16B", "RGBA;16L")}
_GREY_WITH_ALPHA = "LA;16B"
_PNG_COLOURS = {1: 0, 2: 4, 3: 2, 4: 6}  # colour type by the number of channels
_AT_ONCE = 1 << 18  # bytes of rows that are filtered together
_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def is_read_here(image: Image.Image) -> bool:
    """Whether a file of PNG or PPM has colours of 16 bits that are read here."""
    if isinstance(image, PngImagePlugin.PngImageFile):
        return _unpacking(image) in (*_HALVES, _GREY_WITH_ALPHA)
    return isinstance(image, PpmImagePlugin.PpmImageFile) and image.mode == "RGB" and _most(image) > 255


def samples(image: Image.Image, file: BinaryIO) -> tuple[str, Deep]:
    """Mode and values, (H, W, C), of a picture for which ``is_read_here`` holds.

    Args:
        image: its header; of a PNG that was changed for Pillow, it has the changed one.
        file: the same file.

    Raises:
        ValueError, OSError: damaged.
    """
    if isinstance(image, PngImagePlugin.PngImageFile):
        return _png(_unpacking(image), cast(BinaryIO, image.fp or file))
    height, width = image.height, image.width
    if isinstance(image, PpmImagePlugin.PpmImageFile):
        file.seek(image.tile[0].offset)
    content = file.read(height * width * 6)
    if len(content) < height * width * 6:
        raise ValueError("rows are missing")
    values, most = np.frombuffer(content, ">u2").reshape(height, width, 3), _most(image)
    if most < 65535:
        return "RGB", ((values.clip(0, most).astype(np.uint32) * 65535 + most // 2) // most).astype(np.uint16)
    return "RGB", values.astype(np.uint16)


def encode_png(pixels: Deep, level: int, **metadata: Any) -> bytes:
    """A PNG of 16 bits.

    Args:
        pixels: (H, W) or (H, W, C) with 1 to 4 channels: grey or colours, and opacity.
        level: of compression, 0 to 9.
        metadata: for Pillow's writer, which writes all but the pixels.
    """
    height, width = pixels.shape[:2]
    values = pixels.reshape(height, width, -1)
    other = io.BytesIO()
    Image.new("RGB", (1, 1)).save(other, "PNG", **metadata)
    written = bytearray(_SIGNATURE)
    header = struct.pack(">IIBBBBB", width, height, 16, _PNG_COLOURS[values.shape[2]], 0, 0, 0)
    for name, content in _chunks(other.getvalue()):
        if name == b"IHDR":
            _append(written, name, header)
        elif name == b"IDAT":
            for part in _packed(values, level):
                _append(written, name, part)
        else:
            _append(written, name, content)
    return bytes(written)


def encode_ppm(pixels: Deep) -> bytes:
    """A PPM or PGM of 16 bits, of (H, W) or (H, W, C) with 1 or 3 channels."""
    height, width = pixels.shape[:2]
    kind = b"P6" if pixels.shape[2:] == (3,) else b"P5"
    return b"%s\n%d %d\n65535\n" % (kind, width, height) + pixels.astype(">u2").tobytes()


def _unpacking(image: PngImagePlugin.PngImageFile) -> str:
    """How Pillow unpacks the file's bytes."""
    return str(image.tile[0].args) if len(image.tile) == 1 else ""


def _most(image: Image.Image) -> int:
    """The value of white in a PPM of colours, 0 where it is not told."""
    tile = image.tile[0] if isinstance(image, PpmImagePlugin.PpmImageFile) else None
    return int(tile.args[-1]) if tile is not None and tile.codec_name == "ppm" and tile.args else 0


def _png(how: str, file: BinaryIO) -> tuple[str, Deep]:
    if how == _GREY_WITH_ALPHA:  # its four bytes lie as those of RGBA do
        quads = _unpacked(file, "RGBA").astype(np.uint16)
        return "LA", (quads[..., ::2] << 8 | quads[..., 1::2]).astype(np.uint16)
    upper, lower = _HALVES[how]
    values = _unpacked(file, upper).astype(np.uint16)
    values <<= 8
    values |= _unpacked(file, lower)
    return how[:-4], values


def _unpacked(file: BinaryIO, how: str) -> NDArray[np.uint8]:
    file, _ = large_profile.split(file)
    file.seek(0)
    image = PngImagePlugin.PngImageFile(file)
    image.tile = [image.tile[0]._replace(args=how)]
    return np.asarray(image)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    start = len(_SIGNATURE)
    while start < len(png):
        (length,) = struct.unpack_from(">I", png, start)
        yield png[start + 4 : start + 8], png[start + 8 : start + 8 + length]
        start += 12 + length


def _append(png: bytearray, name: bytes, content: bytes) -> None:
    png += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _packed(values: Deep, level: int) -> Iterator[bytes]:
    packing = zlib.compressobj(level)
    rows = max(1, _AT_ONCE // (values.shape[1] * values.shape[2] * 2))
    above = np.zeros((1, values.shape[1] * values.shape[2] * 2), np.uint8)
    for top in range(0, len(values), rows):
        part = values[top : top + rows].astype(">u2").view(np.uint8).reshape(-1, above.shape[1])
        packed = packing.compress(_filtered(part, np.concatenate((above, part[:-1])), values.shape[2] * 2))
        if packed:
            yield packed
        above = part[-1:]
    yield packing.flush()


def _filtered(rows: NDArray[np.uint8], above: NDArray[np.uint8], pixel: int) -> bytes:
    """Rows of bytes by the filter Paeth, each with the filter's number before it."""
    left, corner = np.zeros_like(rows), np.zeros_like(rows)
    left[:, pixel:], corner[:, pixel:] = rows[:, :-pixel], above[:, :-pixel]
    a, b, c = left.astype(np.int16), above.astype(np.int16), corner.astype(np.int16)
    to_left, to_above, to_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    nearest = np.where(to_above <= to_corner, above, corner)
    guess = np.where((to_left <= to_above) & (to_left <= to_corner), left, nearest)
    result = np.empty((rows.shape[0], rows.shape[1] + 1), np.uint8)
    result[:, 0] = 4
    np.subtract(rows, guess, out=result[:, 1:])
    return result.tobytes()

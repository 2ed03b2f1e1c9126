"""Half files: what decoders fill with grey or black without a word is refused."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from PIL import Image

from temperfill import images

PHOTO = np.random.default_rng(0).integers(0, 256, (72, 104, 3), np.uint8).repeat(2, 0).repeat(2, 1)
JPEGS: list[dict[str, Any]] = [
    {"quality": 90},
    {"quality": 60, "subsampling": 2},
    {"progressive": True},
    {"restart_marker_rows": 1},
    {"optimize": True},
]


def encoded(kind: str, image: Image.Image | None = None, **options: Any) -> bytes:
    file = io.BytesIO()
    (image or Image.fromarray(PHOTO)).save(file, kind, **options)
    return file.getvalue()


def read(content: bytes) -> images.Picture:
    return images.open_picture(io.BytesIO(content))


@pytest.mark.parametrize("options", JPEGS)
@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_jpeg_whose_scan_ends_early_is_refused(options: dict[str, Any], mode: str) -> None:
    whole = encoded("JPEG", Image.fromarray(PHOTO).convert(mode), **options)
    assert read(whole).size == PHOTO.shape[:2]
    assert read(whole + b"MotionPhoto" * 99).size == PHOTO.shape[:2]
    for part in (0.4, 0.6, 0.85):
        with pytest.raises(ValueError, match="damaged or truncated"):
            read(whole[: int(len(whole) * part)] + b"\xff\xd9")


@pytest.mark.parametrize("grey", [127, 128, 129])
def test_a_whole_jpeg_that_is_grey_to_its_end_is_read(grey: int) -> None:
    for options in JPEGS:
        picture = read(encoded("JPEG", Image.new("RGB", (90, 70), (grey,) * 3), **options))
        assert np.ptp(picture.pixels) == 0


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(rows: bytes, width: int, height: int, colours: int = 2, bits: int = 8) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, bits, colours, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + data + chunk(b"IEND", b"")


@pytest.mark.parametrize(("colours", "bits", "row"), [(2, 8, 30), (0, 1, 2), (6, 16, 80), (4, 8, 20), (0, 16, 20)])
def test_a_png_with_too_few_rows_is_refused(colours: int, bits: int, row: int) -> None:
    rows = (b"\0" + b"\7" * row) * 20
    assert read(png(rows, 10, 20, colours, bits)).size == (20, 10)
    assert read(png(rows * 2, 10, 20, colours, bits)).size == (20, 10)
    for length in (len(rows) // 2, len(rows) - 1):
        with pytest.raises(ValueError, match="damaged or truncated"):
            read(png(rows[:length], 10, 20, colours, bits))


def test_interlaced_pngs_are_read() -> None:
    """Adam7 of 3x2 pixels: passes 1 (1 pixel), 4 (1), 6 (1 for the row), and 7 (3)."""
    passes = b"\0\1" + b"\0\2" + b"\0\3" + b"\0\4\5\6"
    head = struct.pack(">IIBBBBB", 3, 2, 8, 0, 0, 0, 1)

    def file(data: bytes) -> bytes:
        return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(data)) + chunk(b"IEND", b"")

    assert read(file(passes)).pixels.tolist() == [[1, 3, 2], [4, 5, 6]]
    with pytest.raises(ValueError, match="damaged or truncated"):
        read(file(passes[:-3]))


def test_a_deflated_tiff_is_read_to_the_end_of_each_strip() -> None:
    whole = encoded("TIFF", compression="tiff_deflate")
    assert np.array_equal(read(whole).pixels, PHOTO)
    third = len(whole) // 3
    with pytest.raises(ValueError, match="damaged or truncated"):
        read(whole[:third] + bytes(third // 2) + whole[third + third // 2 :])


@pytest.mark.parametrize("kind", ["WEBP", "GIF", "BMP", "PPM", "AVIF"])
def test_other_formats_are_refused_where_they_are_cut(kind: str) -> None:
    whole = encoded(kind)
    assert read(whole).size == PHOTO.shape[:2]
    with pytest.raises(ValueError, match="damaged"):
        read(whole[: len(whole) // 2])

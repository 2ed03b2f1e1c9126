"""Further pages of a TIFF stay as they are; copies of the first in small do not."""

import io
import struct
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image

from temperfill import images
from temperfill.images.tiff_pages import read_pages

RNG = np.random.default_rng(4)


def noise(kind: str, *shape: int) -> Any:
    return RNG.integers(0, np.iinfo(kind).max, shape, dtype=kind)


FIRST = {"deep": noise("uint16", 21, 30, 3), "bytes": noise("uint8", 21, 30, 3)}
SECOND, THIRD = noise("uint8", 40, 50), noise("uint16", 33, 17, 3)


def pages(first: Any, order: str = "<") -> bytes:
    file = io.BytesIO()
    with tifffile.TiffWriter(file, byteorder=order) as writer:
        writer.write(first, photometric="rgb", metadata=None)
        writer.write(first[::3, ::3], photometric="rgb", subfiletype=1, metadata=None)
        more = {"metadata": None, "description": "the second", "resolution": (72, 72), "rowsperstrip": 8}
        writer.write(SECOND, photometric="minisblack", compression="zlib", **more)
        writer.write(THIRD, photometric="rgb", planarconfig="contig", tile=(16, 16), metadata=None)
    return file.getvalue()


@pytest.mark.parametrize("first", FIRST)
@pytest.mark.parametrize("order", ["<", ">"])
def test_pages_are_carried_over(first: str, order: str) -> None:
    content = pages(FIRST[first], order)
    with pytest.warns(UserWarning, match="several pages; only the first is filled"):
        picture = images.open_picture(content)
    hole = np.zeros((21, 30), bool)
    hole[4:9, 5:20] = True
    result = images.paste(picture, np.zeros((21, 30, 3), np.float32), hole)
    written = images.encode_picture(result, Path("a.tif"))
    with tifffile.TiffFile(io.BytesIO(written)) as file:
        found = [page.asarray() for page in file.pages]
        assert file.byteorder == order
        assert file.pages[1].description == "the second"
        assert file.pages[1].rowsperstrip == 8
        assert file.pages[2].tilewidth == 16
    assert len(found) == 3
    assert np.array_equal(found[0][~hole], FIRST[first][~hole])
    assert not found[0][hole].any()
    assert np.array_equal(found[1], SECOND)
    assert np.array_equal(found[2], THIRD)
    assert FIRST[first][::3, ::3].tobytes() not in written


def test_exif_of_pages_is_carried_over() -> None:
    exif = Image.Exif()
    exif[315] = "someone"
    exif.get_ifd(34665)[42036] = "glass"
    frames = [Image.fromarray(noise("uint8", 9, 9)) for _ in range(2)]
    for frame in frames:
        frame.encoderinfo = {"exif": exif.tobytes()}  # type: ignore[attr-defined]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:], exif=exif.tobytes())
    with pytest.warns(UserWarning, match="several pages"):
        written = images.encode_picture(images.open_picture(file), Path("a.tif"))
    with Image.open(io.BytesIO(written)) as image:
        image.seek(1)
        assert np.array_equal(np.asarray(image), np.asarray(frames[1]))


def test_formats_without_pages_say_so_before_the_work(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        picture = images.open_picture(pages(FIRST["bytes"]))
    with pytest.warns(UserWarning, match=r"a\.png will have the first page alone"):
        images.check_output(tmp_path / "a.png", picture)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images.check_output(tmp_path / "a.tif", picture)


def test_damaged_pages_are_left_out_aloud() -> None:
    content = bytearray(pages(FIRST["bytes"]))
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        place = file.pages[2].offset
    (count,) = struct.unpack_from("<H", content, place)
    ring, lost, huge = bytearray(content), bytearray(content), bytearray(content)
    ring[place + 2 + 12 * count : place + 6 + 12 * count] = struct.pack("<I", place)
    lost[place + 2 + 12 * count : place + 6 + 12 * count] = struct.pack("<I", len(content) - 1)
    at = content.index(struct.pack("<HH", 270, 2), place)
    huge[at + 4 : at + 8] = struct.pack("<I", 1 << 30)
    for broken in (ring, lost, huge):
        with pytest.raises((ValueError, LookupError)):
            read_pages(io.BytesIO(broken))
        with pytest.warns(UserWarning, match="further pages of the file are left out"):
            picture = images.open_picture(broken)
        assert np.array_equal(picture.pixels, FIRST["bytes"])

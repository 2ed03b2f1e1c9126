"""TIFF of every depth: what tifffile wrote is read as it wrote it, and what was filled is read by tifffile."""

import io
import struct
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st
from PIL import ExifTags, Image

from temperfill import images
from temperfill.images.picture import Picture
from temperfill.images.tiff_writing import Form, encode_tiff

DEPTHS = ("uint8", "uint16", "float32", "uint32", "int16", "int32", "float16", "float64")
# Mode: shape of a pixel, and what tifffile calls it.
LAYOUTS: dict[str, tuple[tuple[int, ...], dict[str, Any]]] = {
    "grey": ((), {"photometric": "minisblack"}),
    "LA": ((2,), {"photometric": "minisblack", "extrasamples": ["unassalpha"]}),
    "RGB": ((3,), {"photometric": "rgb"}),
    "RGBA": ((4,), {"photometric": "rgb", "extrasamples": ["unassalpha"]}),
    "CMYK": ((4,), {"photometric": "separated"}),
}
XMP = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"/>'
TURNS: dict[int, Any] = {1: lambda a: a, 3: lambda a: a[::-1, ::-1], 6: lambda a: np.rot90(a, -1)}


def values(kind: str, shape: tuple[int, ...], seed: int) -> Any:
    rng = np.random.default_rng(seed)
    if kind.startswith("float"):
        return rng.random(shape).astype(kind)
    return rng.integers(0, np.iinfo(kind).max, shape, dtype=kind)


def read(content: bytes) -> tuple[Any, Any]:
    """What tifffile reads: (H, W[, C]) and the page."""
    with tifffile.TiffFile(io.BytesIO(content)) as file:
        page = file.pages[0]
        found = page.asarray()
        return (np.moveaxis(found, 0, -1) if page.planarconfig == 2 else found), page


@given(
    kind=st.sampled_from(DEPTHS),
    mode=st.sampled_from(sorted(LAYOUTS)),
    order=st.sampled_from("<>"),
    planes=st.booleans(),
    compression=st.sampled_from([None, "zlib"]),
    tile=st.sampled_from([None, (16, 32)]),
    orientation=st.sampled_from(sorted(TURNS)),
    size=st.tuples(st.integers(1, 40), st.integers(1, 40)),
    seed=st.integers(0, 99),
)
def test_known_values_and_metadata_survive(
    kind: str,
    mode: str,
    order: str,
    planes: bool,
    compression: str | None,
    tile: tuple[int, int] | None,
    orientation: int,
    size: tuple[int, int],
    seed: int,
) -> None:
    pixel, how = LAYOUTS[mode]
    planes = planes and bool(pixel)
    stored = values(kind, size + pixel, seed)
    content = io.BytesIO()
    tifffile.imwrite(
        content,
        np.moveaxis(stored, -1, 0) if planes else stored,
        **how,
        byteorder=order,
        planarconfig=("separate" if planes else "contig") if pixel else None,
        compression=compression,
        predictor=bool(compression) and not kind.startswith("float"),
        tile=tile,
        rowsperstrip=None if tile else 7,
        resolution=(300, 150),
        resolutionunit=2,
        metadata=None,
        software=None,
        extratags=[(274, 3, 1, orientation, True), (315, 2, 0, "someone", True), (700, 1, len(XMP), XMP, True)],
    )
    upright = TURNS[orientation](stored)
    picture = images.open_picture(content)
    assert picture.pixels.dtype == kind
    assert np.array_equal(picture.pixels, upright)
    hole = np.random.default_rng(seed).random(picture.size) < 0.3
    result = images.paste(picture, np.full((*picture.size, 3), 0.25, np.float32), hole)
    written = images.encode_picture(result, Path("a.tif"))
    found, page = read(written)
    found = found.reshape(upright.shape)
    assert found.dtype == kind
    assert np.array_equal(found[~hole], upright[~hole])
    assert np.array_equal(found, result.pixels)
    assert page.parent.byteorder == order
    assert page.planarconfig == 1 + planes
    assert page.compression == (8 if compression else 1)
    tags = {tag.code: tag.value for tag in page.tags}
    assert (tags[315], bytes(tags[700])) == ("someone", XMP)
    assert tags[282] == (3_000_000 if orientation < 5 else 1_500_000, 10_000)
    assert 274 not in tags
    header = images.read_header(io.BytesIO(written))
    assert (header.size, header.depth, header.is_cut) == (picture.size, np.dtype(kind).itemsize * 8, False)
    assert header.has_alpha == (mode in ("LA", "RGBA"))


@pytest.mark.parametrize(("mode", "planes"), list(product(["RGB", "RGBA", "CMYK"], [False, True])))
def test_lzw_is_read_and_kept(mode: str, planes: bool) -> None:
    """Pillow, which reads the upper bytes of 16 bits, stands for another program."""
    pixels = values("uint16", (60, 70, len(mode)), 1)
    content = encode_tiff(pixels, mode, Form(5, planes))
    assert np.array_equal(images.open_picture(io.BytesIO(content)).pixels, pixels)
    if not planes:
        with Image.open(io.BytesIO(content)) as image:
            assert np.array_equal(np.asarray(image), pixels >> 8)
    again = images.encode_picture(images.open_picture(io.BytesIO(content)), Path("a.tif"))
    assert again == content


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "zstd"])
def test_grey_that_libtiff_packed_is_read(compression: str) -> None:
    for stored, predictor in ((values("uint16", (50, 40), 2), 2), (values("float32", (50, 40), 2), 3)):
        content = io.BytesIO()
        tags = {} if compression == "packbits" else {317: predictor}
        Image.fromarray(stored).save(content, "TIFF", compression=compression, tiffinfo=tags)
        assert np.array_equal(images.open_picture(content).pixels, stored)


def test_profile_and_directories_of_exif_are_kept(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[ExifTags.Base.Artist] = "someone"
    exif.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] = "glass"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    Image.fromarray(values("uint16", (5, 6), 0)).save(tmp_path / "in.tif", exif=exif.tobytes(), icc_profile=b"profile")
    images.save_picture(tmp_path / "out.tif", images.open_picture(tmp_path / "in.tif"))
    with Image.open(tmp_path / "out.tif") as image:
        found = image.getexif()
        assert found[ExifTags.Base.Artist] == "someone"
        assert found.get_ifd(ExifTags.IFD.Exif)[ExifTags.Base.LensModel] == "glass"
        assert found.get_ifd(ExifTags.IFD.GPSInfo)[1] == "N"
        assert image.info["icc_profile"] == b"profile"


def test_multiplied_colours_are_divided_aloud() -> None:
    stored = np.array([[[10000, 0, 20000, 32768], [0, 0, 0, 0]]], np.uint16)
    content = io.BytesIO()
    tifffile.imwrite(content, stored, photometric="rgb", extrasamples=["assocalpha"])
    with pytest.warns(UserWarning, match="multiplied by their opacity"):
        picture = images.open_picture(content)
    assert picture.pixels[0, 0].tolist() == [20000, 0, 39999, 32768]
    assert picture.pixels[0, 1].tolist() == [0, 0, 0, 0]


def test_further_channels_are_left_out_aloud() -> None:
    stored = values("uint16", (6, 7, 5), 0)
    content = io.BytesIO()
    tifffile.imwrite(content, stored, photometric="rgb", extrasamples=["unassalpha", "unspecified"], planarconfig=1)
    with pytest.warns(UserWarning, match="channels besides"):
        picture = images.open_picture(content)
    assert (picture.mode, np.array_equal(picture.pixels, stored[..., :4])) == ("RGBA", True)


def test_white_is_zero_is_turned_over() -> None:
    stored = values("uint16", (4, 5), 0)
    content = io.BytesIO()
    tifffile.imwrite(content, stored, photometric="miniswhite")
    assert np.array_equal(images.open_picture(content).pixels, 65535 - stored)


@pytest.mark.parametrize("compression", [None, "zlib"])
def test_damage_is_named(compression: str | None) -> None:
    content = io.BytesIO()
    tifffile.imwrite(content, values("uint16", (40, 50, 3), 0), photometric="rgb", compression=compression)
    for length in (len(content.getvalue()) - 100, 300):
        with pytest.raises(ValueError, match=r"half\.tif is damaged|half\.tif is not a supported"):
            images.open_picture(io.BytesIO(content.getvalue()[:length]), name="half.tif")


def test_sizes_are_looked_at_before_pixels() -> None:
    content = bytearray(encode_tiff(np.zeros((2, 3, 3), np.uint16), "RGB", Form()))
    for tag in (256, 257, 278):
        at = content.rindex(struct.pack("<HHI", tag, 4, 1)) + 8
        content[at : at + 4] = struct.pack("<I", 30_000)
    with pytest.raises(ValueError, match=r"30000x30000 pixels.*above the limit"):
        images.open_picture(io.BytesIO(content))


def test_floats_beyond_one_keep_their_range() -> None:
    """Heights, for example: what is in the hole does not count."""
    stored = np.linspace(-400, 8848, 300, dtype=np.float32).reshape(15, 20)
    hole = np.zeros(stored.shape, bool)
    hole[5:9, 5:9] = True
    results = []
    for lie in (0, 1e9):
        with_lie = stored.copy()
        with_lie[hole] = lie
        picture = images.open_picture(Image.fromarray(with_lie)).hiding(hole)
        view = images.to_rgb(picture)
        assert (view.min(), view.max()) == (0, 1)
        results.append(images.paste(picture, view, hole).pixels)
        assert np.array_equal(results[-1][~hole], stored[~hole])
    assert np.array_equal(*results)


@pytest.mark.parametrize("mode", ["1", "LAB"])
def test_what_pillow_reads_is_what_it_wrote(mode: str) -> None:
    pixels = values("uint8", (19, 21, 3), 3)
    image = Image.fromarray(pixels[..., 0] > 127) if mode == "1" else Image.fromarray(pixels, mode)
    content = io.BytesIO()
    image.save(content, "TIFF")
    written = images.encode_picture(images.open_picture(content), Path("a.tif"))
    with Image.open(io.BytesIO(written)) as again:
        assert again.mode == mode
        assert np.array_equal(np.asarray(again), np.asarray(image))


def test_a_resolution_that_is_none_is_left_out() -> None:
    for dpi in ((float("nan"), 1.0), (0.0, 0.0), (1e9, 1e9)):
        content = images.encode_picture(Picture(np.zeros((4, 5), np.uint8), "L", {"dpi": dpi}), Path("a.tif"))
        assert "dpi" not in images.open_picture(content).info

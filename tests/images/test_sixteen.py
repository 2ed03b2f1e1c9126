"""PNG and PPM of 16 bits, checked by OpenCV where it reads them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from temperfill import images
from temperfill.images import Picture

cv2 = pytest.importorskip("cv2")

RNG = np.random.default_rng(3)
CHANNELS = {"I;16": 1, "RGB": 3, "RGBA": 4}


def deep(channels: int, height: int = 23, width: int = 31) -> Any:
    """Noise and a gradient, so that every filter has something to do."""
    ramp = np.linspace(0, 60_000, height * width).reshape(height, width, 1)
    pixels = (ramp + RNG.integers(0, 5000, (height, width, channels))).astype(np.uint16)
    return pixels[..., 0] if channels == 1 else pixels


def by_opencv(pixels: Any) -> Any:
    """The order of its channels."""
    return pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]


@pytest.mark.parametrize("mode", CHANNELS)
def test_known_pixels_of_png_keep_their_bits(tmp_path: Path, mode: str) -> None:
    pixels = deep(CHANNELS[mode])
    cv2.imwrite(str(tmp_path / "in.png"), by_opencv(pixels))
    picture = images.open_picture(tmp_path / "in.png")
    assert (picture.mode, picture.pixels.dtype) == (mode, np.uint16)
    assert np.array_equal(picture.pixels, pixels)
    hole = np.zeros(picture.size, bool)
    hole[4:9, 6:20] = True
    result = images.paste(picture, np.full((*picture.size, 3), 12345 / 65535, np.float32), hole)
    images.save_picture(tmp_path / "out.png", result)
    found = by_opencv(cv2.imread(str(tmp_path / "out.png"), cv2.IMREAD_UNCHANGED))
    assert found.dtype == np.uint16
    assert np.array_equal(found[~hole], pixels[~hole])
    assert set(found[hole].reshape(-1, CHANNELS[mode])[:, :3].flat) == {12345}
    if mode == "RGBA":
        assert np.array_equal(found[..., 3], pixels[..., 3])
    header = images.read_header((tmp_path / "out.png").open("rb"))
    assert (header.depth, header.is_cut, header.has_alpha) == (16, False, mode == "RGBA")


def test_grey_with_opacity_is_read_as_written() -> None:
    picture = Picture(deep(2), "LA", {})
    for height, width in ((23, 31), (1, 1)):
        picture = Picture(deep(2, height, width), "LA", {})
        again = images.open_picture(io.BytesIO(images.encode_picture(picture, Path("a.png"))))
        assert (again.mode, np.array_equal(again.pixels, picture.pixels)) == ("LA", True)


def test_metadata_of_png_are_kept() -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "Zoë")
    exif = Image.Exif()
    exif[315] = "someone"
    exif[274] = 6
    first = io.BytesIO()
    Image.fromarray(deep(1)).save(first, "PNG", pnginfo=texts, exif=exif, dpi=(300, 300), icc_profile=b"profile")
    picture = images.open_picture(first)
    assert picture.size == (31, 23)  # turned
    coloured = Picture(np.repeat(picture.pixels[..., None], 3, 2), "RGB", picture.info)
    with Image.open(io.BytesIO(images.encode_picture(coloured, Path("a.png")))) as image:
        assert image.text == {"Author": "Zoë"}  # type: ignore[attr-defined]
        assert dict(image.getexif()) == {315: "someone"}
        assert image.info["icc_profile"] == b"profile"
        assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def test_a_large_profile_is_kept() -> None:
    """Pillow refuses texts above a megabyte."""
    profile = RNG.bytes(2_000_000)
    pixels = deep(3)
    content = images.encode_picture(Picture(pixels, "RGB", {"icc_profile": profile}), Path("a.png"))
    picture = images.open_picture(content)
    assert np.array_equal(picture.pixels, pixels)
    assert picture.info["icc_profile"] == profile


def test_colour_key_becomes_opacity() -> None:
    pixels = deep(3)
    content = images.encode_picture(Picture(pixels, "RGB", {}), Path("a.png"))
    key = chunk(b"tRNS", struct.pack(">3H", *pixels[2, 3]))
    at = content.index(b"IDAT") - 4
    picture = images.open_picture(io.BytesIO(content[:at] + key + content[at:]))
    assert picture.mode == "RGBA"
    assert np.array_equal(picture.pixels[..., :3], pixels)
    assert np.argwhere(picture.pixels[..., 3] == 0).tolist() == [[2, 3]]
    assert picture.pixels[..., 3].max() == 65535


def test_damaged_png_is_named() -> None:
    content = bytearray(images.encode_picture(Picture(deep(3), "RGB", {}), Path("a.png")))
    for changed in (content[:-40], content[:60] + b"\0" + content[61:]):
        with pytest.raises(ValueError, match="the file is damaged"):
            images.open_picture(io.BytesIO(changed))


@pytest.mark.parametrize(("mode", "suffix"), [("RGB", ".ppm"), ("I;16", ".pgm")])
def test_known_pixels_of_ppm_keep_their_bits(tmp_path: Path, mode: str, suffix: str) -> None:
    pixels = deep(CHANNELS[mode])
    cv2.imwrite(str(tmp_path / f"in{suffix}"), by_opencv(pixels))
    picture = images.open_picture(tmp_path / f"in{suffix}")
    assert np.array_equal(picture.pixels, pixels)
    images.save_picture(tmp_path / f"out{suffix}", picture)
    assert (tmp_path / f"out{suffix}").read_bytes() == (tmp_path / f"in{suffix}").read_bytes()


def test_ppm_of_ten_bits_is_scaled() -> None:
    content = io.BytesIO(b"P6 2 1 1023\n" + np.array([0, 1, 511, 512, 1022, 1023], ">u2").tobytes())
    assert images.open_picture(content).pixels.ravel().tolist() == [0, 64, 32735, 32800, 65471, 65535]
    with pytest.raises(ValueError, match="damaged"):
        images.open_picture(io.BytesIO(content.getvalue()[:-1]))


@pytest.mark.parametrize(("suffix", "bits"), [(".jpg", 8), (".webp", 8), (".bmp", 8), (".png", 16), (".tif", 32)])
def test_fewer_bits_are_announced_before_the_work(tmp_path: Path, suffix: str, bits: int) -> None:
    pixels = np.linspace(0.2, 0.7, 20 * 30, dtype=np.float32).reshape(20, 30, 1).repeat(3, 2)
    picture = images.open_picture(pixels)
    if bits < 32:
        with pytest.warns(UserWarning, match=f"a{suffix} will have {bits} bits per colour instead of 32"):
            images.check_output(tmp_path / f"a{suffix}", picture)
    else:
        images.check_output(tmp_path / f"a{suffix}", picture)
    images.save_picture(tmp_path / f"a{suffix}", picture, 100)
    again = images.open_picture(tmp_path / f"a{suffix}")
    assert again.pixels.dtype.itemsize * 8 == bits
    difference = np.abs(images.to_rgb(again) - pixels).max()
    assert difference <= (0.01 if suffix == ".jpg" else 0.500001 / (2**bits - 1))

"""Pictures of every kind that a caller may hold: modes of Pillow, bytes of files, odd arrays."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageCms

from temperfill import images, load
from temperfill.inpainter import Inpainter

RNG = np.random.default_rng(2)
HOLE = np.zeros((20, 24), bool)
HOLE[6:12, 8:16] = True


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return load("telea", "cpu")


def plain(mode: str) -> Image.Image:
    """A picture of one colour, which every method must continue."""
    grey = {"I": 30_000, "F": 7.5}
    if mode in grey:
        return Image.new(mode, (24, 20), grey[mode])
    colour = Image.new("RGB", (24, 20), (40, 90, 150))
    if mode == "LAB":
        to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
        return ImageCms.applyTransform(colour, to_lab) or colour
    return colour.quantize(4).convert("PA") if mode == "PA" else colour.convert(mode)


@pytest.mark.parametrize("mode", ["PA", "YCbCr", "LAB", "HSV", "RGBX", "I", "F", "RGBa", "La"])
def test_odd_modes_are_filled_as_they_are(inpainter: Inpainter, mode: str) -> None:
    image = plain(mode)
    expected = {"PA": "RGBA", "RGBa": "RGBA", "La": "LA"}.get(mode, mode)
    result = inpainter(image, HOLE)
    assert result.mode == expected
    before, after = np.asarray(image.convert(expected)), np.asarray(result)
    assert np.array_equal(after[~HOLE], before[~HOLE])
    difference = after.astype(float) - before.astype(float)
    if mode == "LAB":  # whose colours have a sign
        difference = (difference + 128) % 256 - 128
    assert np.abs(difference)[HOLE].max() <= {"I": 120, "F": 0.03}.get(mode, 5)


@pytest.mark.parametrize("kind", [bytes, bytearray, memoryview])
def test_bytes_of_a_file_are_read(inpainter: Inpainter, kind: type[Any]) -> None:
    file, mask = io.BytesIO(), io.BytesIO()
    plain("RGB").save(file, "PNG")
    Image.fromarray(HOLE).save(mask, "PNG")
    result = inpainter(kind(file.getvalue()), kind(mask.getvalue()))
    assert np.abs(np.asarray(result).astype(int) - np.asarray(plain("RGB"))).max() <= 2
    with pytest.raises(ValueError, match="the file is not a supported picture"):
        images.open_picture(kind(b"no picture"))


def test_arrays_of_another_order_of_bytes(inpainter: Inpainter) -> None:
    pixels = RNG.integers(0, 65536, (20, 24, 3), np.uint16)
    swapped = pixels.astype(pixels.dtype.newbyteorder())
    results = [inpainter(each, HOLE, output_type="np") for each in (pixels, swapped)]
    assert np.array_equal(*results)


def test_channels_that_come_first_are_explained() -> None:
    with pytest.raises(ValueError, match=r"moveaxis\(array, 0, -1\)"):
        images.open_picture(np.zeros((3, 20, 24), np.uint8))


def test_pillow_gets_eight_bits_of_colour_with_a_warning(inpainter: Inpainter) -> None:
    pixels = RNG.integers(0, 65536, (20, 24, 3), np.uint16)
    with pytest.warns(UserWarning, match=r"16 bits per colour.*output_type='np'"):
        result = inpainter(pixels, HOLE)
    assert np.array_equal(np.asarray(result)[~HOLE], np.rint(pixels / 257)[~HOLE])


def test_deep_files_that_pillow_opened_are_cut_aloud(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 65536, (20, 24, 3), np.uint16)
    images.save_picture(tmp_path / "deep.png", images.open_picture(pixels))
    with Image.open(tmp_path / "deep.png") as image, pytest.warns(UserWarning, match="give the path"):
        assert not images.open_picture(image).is_deep
    assert np.array_equal(images.open_picture(tmp_path / "deep.png").pixels, pixels)


def test_a_smooth_gradient_stays_smooth_in_16_bits() -> None:
    """Eight bits would leave two dozen values, and one of 257 of them."""
    row, column = np.mgrid[:96, :96]
    ramp = (0.55 + 0.02 * row / 96 + 0.02 * column / 96)[..., None] * np.array([1.0, 0.9, 0.8])
    pixels = np.rint(ramp * 65535).astype(np.uint16)
    hole = np.zeros((96, 96), bool)
    hole[30:66, 30:66] = True
    filled = load("base", "cpu")(pixels, hole, output_type="np")
    assert np.array_equal(filled[~hole], pixels[~hole])
    assert len(np.unique(filled[hole][:, 0])) > 300
    assert (filled[hole] % 257 == 0).mean() < 0.05


def test_an_address_is_no_path() -> None:
    with pytest.raises(ValueError, match=r"https://example.org/a.png is an address, and no path here: open it first"):
        images.open_picture("https://example.org/a.png")

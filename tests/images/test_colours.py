"""Holes that become opaque, and holes that are given alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from temperfill import cli, images, load
from temperfill.errors import InputError
from temperfill.images import Picture
from temperfill.inpainter import Inpainter

RNG = np.random.default_rng(11)
HOLE = np.zeros((24, 32), bool)
HOLE[8:14, 10:20] = True


@pytest.fixture(scope="module")
def inpainter() -> Inpainter:
    return load("telea", "cpu")


def erased(kind: type[Any] = np.uint8, channels: int = 4) -> Any:
    """Noise whose hole was erased to transparency; the rim of it half."""
    pixels = (RNG.random((24, 32, channels)) * (1 if kind is np.float32 else np.iinfo(kind).max)).astype(kind)
    most = 1 if kind is np.float32 else np.iinfo(kind).max
    pixels[..., -1] = most
    pixels[HOLE, -1] = 0
    pixels[7, 10:20, -1] = most * 3 // 4 if kind is not np.float32 else 0.75
    return pixels


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_hole_that_was_erased_becomes_opaque(inpainter: Inpainter, kind: type[Any]) -> None:
    pixels = erased(kind)
    result = inpainter(pixels, pixels, mask_channel="alpha", invert_mask=True, output_type="np")
    assert (result[HOLE, 3] == pixels[..., 3].max()).all()
    assert np.array_equal(result[~HOLE], pixels[~HOLE])
    kept = inpainter(pixels, np.roll(HOLE, 1, 0), output_type="np")  # another hole says nothing of transparency
    assert np.array_equal(kept[..., 3], pixels[..., 3])
    asked = inpainter(pixels, np.roll(HOLE, 1, 0), output_type="np", opaque=True)
    assert (asked[np.roll(HOLE, 1, 0), 3] == pixels[..., 3].max()).all()


def test_grown_holes_are_opaque_altogether(inpainter: Inpainter) -> None:
    pixels = erased()
    result = inpainter(pixels, HOLE, mask_dilate=1, output_type="np")
    assert (result[..., 3] == 255).all()


def test_palettes_take_opaque_colours(inpainter: Inpainter) -> None:
    image = Image.fromarray(np.where(HOLE, 0, RNG.integers(1, 9, HOLE.shape)).astype(np.uint8), "P")
    image.putpalette(RNG.integers(0, 256, 9 * 3, np.uint8).tobytes())
    image.info["transparency"] = 0
    before, after = image.convert("RGBA"), inpainter(image, HOLE).convert("RGBA")
    assert (np.asarray(after)[..., 3] == 255).all()
    assert np.array_equal(np.asarray(after)[~HOLE], np.asarray(before)[~HOLE])


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "1", "P"])
def test_a_layer_over_the_picture_is_the_result(inpainter: Inpainter, mode: str) -> None:
    image = Image.fromarray(erased(), "RGBA")
    image = image.convert(mode) if mode in ("RGB", "RGBA", "LA", "P") else image.convert("RGB").convert(mode)
    layer = inpainter(image, HOLE, layer=True, feather=2)
    result = inpainter(image, HOLE, opaque=True, feather=2).convert("RGBA")
    assert layer.mode == "RGBA"
    assert np.array_equal(np.asarray(layer)[..., 3], HOLE * 255)
    assert not np.asarray(layer)[~HOLE].any()
    laid = Image.alpha_composite(image.convert("RGBA"), layer)
    assert np.array_equal(np.asarray(laid), np.asarray(result))


@pytest.mark.parametrize("kind", [np.uint16, np.float32])
def test_deep_layers_hold_the_bits_of_the_result(inpainter: Inpainter, kind: type[Any]) -> None:
    pixels = erased(kind)[..., :3]
    layer = inpainter(pixels, HOLE, layer=True, output_type="np")
    assert layer.dtype == kind
    laid = np.where(layer[..., 3:] > 0, layer[..., :3], pixels)
    assert np.array_equal(laid, inpainter(pixels, HOLE, output_type="np"))


def test_an_empty_hole_has_an_empty_layer(inpainter: Inpainter) -> None:
    with pytest.warns(UserWarning, match="empty"):
        layer = inpainter(erased()[..., :3], np.zeros((24, 32), bool), layer=True, output_type="np")
    assert layer.shape == (24, 32, 4)
    assert not layer.any()


def test_what_rgba_does_not_hold_is_refused_before_the_work(tmp_path: Path) -> None:
    for picture in (
        images.open_picture(Image.new("CMYK", (4, 4))),
        images.open_picture(Image.new("F", (4, 4), 7.0)),
        Picture(np.zeros((4, 4, 3), np.int32), "RGB", {}),
    ):
        with pytest.raises(InputError, match="a layer"):
            images.check_storable(picture, tmp_path / "a.tif", layer=True)
    with pytest.raises(ValueError, match=r"JPEG does not hold mode RGBA"):
        images.check_output(tmp_path / "a.jpg", images.open_picture(erased()[..., :3]), layer=True)


def test_the_command_line_writes_layers(tmp_path: Path) -> None:
    Image.fromarray(erased()[..., :3]).save(tmp_path / "in.jpg", quality=95)
    Image.fromarray(HOLE).save(tmp_path / "mask.png")
    words = ["inpaint", f"{tmp_path}/in.jpg", "--mask", f"{tmp_path}/mask.png", "--model", "telea"]
    cli.main([*words, "--output", f"{tmp_path}/layer.png", "--layer"])
    cli.main([*words, "--output", f"{tmp_path}/whole.png"])
    with Image.open(tmp_path / "layer.png") as layer, Image.open(tmp_path / "in.jpg") as photo:
        laid = Image.alpha_composite(photo.convert("RGBA"), layer)
    with Image.open(tmp_path / "whole.png") as whole:
        assert np.array_equal(np.asarray(laid.convert("RGB")), np.asarray(whole))
    with pytest.raises(SystemExit):
        cli.main([*words, "--output", f"{tmp_path}/layer.jpg", "--layer"])
    assert not (tmp_path / "layer.jpg").exists()

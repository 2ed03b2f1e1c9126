"""Masks that cannot be meant are refused with a remedy; masks as people and programs make them are not."""

import io
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

import temperfill
from temperfill import images
from temperfill.errors import InputError

SIDE = 256
PHOTO = Image.open(Path(temperfill.__file__).parent / "samples" / "photo.jpg").convert("RGB").resize((SIDE, SIDE))


def drawn(scale: int = 1) -> Image.Image:
    """A blob and a stroke in white on black; with smooth rims where it was drawn larger."""
    image = Image.new("L", (SIDE * scale, SIDE * scale))
    draw = ImageDraw.Draw(image)
    draw.ellipse([50 * scale, 60 * scale, 140 * scale, 130 * scale], fill=255)
    draw.line([20 * scale, 230 * scale, 240 * scale, 30 * scale], fill=255, width=6 * scale)
    return image.resize((SIDE, SIDE), Image.Resampling.BOX)


HOLE = np.asarray(drawn()) > 127
RGB = np.asarray(PHOTO)


def white_where(values: NDArray[np.uint8]) -> Image.Image:
    return Image.fromarray(np.where(HOLE, values, 0).astype(np.uint8))


def coloured(*colour: int) -> Image.Image:
    return Image.fromarray(np.where(HOLE[..., None], np.uint8(colour), np.uint8(0)))


def palette() -> Image.Image:
    image = Image.fromarray(HOLE.astype(np.uint8) * 3, "P")
    image.putpalette([0, 0, 0, 0, 0, 0, 0, 0, 0, 128, 0, 0])
    return image


PHOTOGRAPHS = {
    "photo": PHOTO,
    "grey": PHOTO.convert("L"),
    "painted white": Image.fromarray(np.where(HOLE[..., None], 255, RGB).astype(np.uint8)),
    "painted red": Image.fromarray(np.where(HOLE[..., None], (255, 0, 0), RGB).astype(np.uint8)),
    "erased": Image.fromarray(np.dstack([RGB, np.where(HOLE, 0, 255).astype(np.uint8)])),
    "palette": PHOTO.quantize(256),
    "cmyk": PHOTO.convert("CMYK"),
    "large": PHOTO.resize((1500, 1500)),
}
WEAK = {
    "red": coloured(255, 0, 0),
    "blue": coloured(0, 0, 255),
    "half strength": white_where(np.full_like(HOLE, 120, np.uint8)),
    "labels": white_where(np.full_like(HOLE, 38, np.uint8)),
    "palette": palette(),
    "grey all over": Image.new("L", (SIDE, SIDE), 90),
    "grey ground": Image.fromarray(np.where(HOLE, 255, 140).astype(np.uint8)),
    "alpha": Image.fromarray(np.dstack([RGB * 0, np.where(HOLE, 120, 0).astype(np.uint8)])),
}


def read(image: Image.Image, **reading: object) -> NDArray[np.bool_]:
    return images.to_mask(image, (image.height, image.width), **reading)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", PHOTOGRAPHS)
def test_photographs_are_no_masks(kind: str) -> None:
    image = PHOTOGRAPHS[kind]
    for invert in (False, True):
        with pytest.raises(InputError, match=r"looks like a photograph.*(swapped|mask channel alpha).*--force"):
            read(image, invert=invert)
    assert 0 < read(image, force=True).mean() < 1
    if kind == "erased":
        assert (read(image, channel="alpha", invert=True) == HOLE).all()


@pytest.mark.parametrize("kind", WEAK)
def test_strokes_that_mark_nothing_or_everything_are_refused(kind: str) -> None:
    reading: dict[str, object] = {"channel": "alpha"} if kind == "alpha" else {}
    with pytest.raises(InputError, match=r"marks (nothing|everything): nothing in it is .*; draw .*--force"):
        read(WEAK[kind], **reading)
    assert read(WEAK[kind], **reading, force=True).mean() in (0, 1)


@pytest.mark.parametrize("blur", [0, 1, 6, 20])
@pytest.mark.parametrize("quality", [None, 30, 90])
def test_masks_as_people_make_them_are_taken(blur: float, quality: int | None) -> None:
    for mask in (drawn(), drawn(4)):
        image = mask.filter(ImageFilter.GaussianBlur(blur))
        if quality is not None:
            stream = io.BytesIO()
            image.save(stream, "JPEG", quality=quality)
            image = Image.open(stream)
        for seen in (image, image.convert("RGB"), Image.merge("LA", (image.convert("L"), image.convert("L")))):
            assert (read(seen) == (np.asarray(image) > 127)).all()
            assert (read(seen, invert=True) != (np.asarray(image) > 127)).all()


@pytest.mark.parametrize(
    "values",
    [
        np.zeros((SIDE, SIDE), np.uint8),
        np.full((SIDE, SIDE), 255, np.uint8),
        np.where(HOLE, 255, 1).astype(np.uint8),
        np.where(HOLE, 200, 30).astype(np.uint8),
        np.where(HOLE, 255, 100).astype(np.uint8),
        np.linspace(0, 255, SIDE * SIDE).reshape(SIDE, SIDE).astype(np.uint8),
        (np.random.default_rng(0).random((SIDE, SIDE)) > 0.5) * np.uint8(255),
        HOLE,
        HOLE.astype(np.uint16) * np.uint16(65535),
        HOLE.astype(np.float32) * 0.9,
        np.where(HOLE[..., None], np.uint8((0, 255, 0)), np.uint8((0, 0, 0))),
    ],
    ids=["empty", "full", "one-as-black", "soft", "grey-ground", "ramp", "dust", "bool", "deep", "float", "green"],
)
def test_other_masks_are_taken(values: NDArray[np.generic]) -> None:
    images.to_mask(values, (SIDE, SIDE))

"""Larger canvases: what is kept, what is new, and what stands mirrored behind it."""

import numpy as np
import pytest

from temperfill import images
from temperfill.errors import InputError
from temperfill.images import Picture

SIDES = {"left": 5, "top": 0, "right": 3, "bottom": 9}


@pytest.mark.parametrize(
    ("mode", "channels", "kind"),
    [("RGB", (3,), np.uint8), ("L", (), np.uint8), ("P", (), np.uint8), ("I;16", (), np.uint16)],
)
def test_the_picture_keeps_its_values_on_the_larger_canvas(mode: str, channels: tuple[int, ...], kind: type) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, *channels)).astype(kind)
    canvas = images.extend(Picture(pixels, mode, {}, bytes(768) if mode == "P" else None), **SIDES)
    cut = canvas.cut(canvas.picture)
    assert cut.size == (20 + 9, 30 + 5 + 3)
    assert np.array_equal(cut.pixels[:20, 5:35], pixels)
    top, bottom, left, right = canvas.box
    hole = canvas.hole[top:bottom, left:right]
    assert not hole[:20, 5:35].any()
    assert hole.sum() == hole.size - 20 * 30
    assert not canvas.mirrored[top:bottom, left:right].any()
    assert not (canvas.mirrored & canvas.hole).any()


def test_behind_the_new_part_stands_the_edge_mirrored() -> None:
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    canvas = images.extend(Picture(pixels, "L", {}), left=2)
    assert canvas.picture.pixels[0].tolist() == [3, 2, 1, 0, 0, 0, 0, 1, 2, 3]
    assert canvas.hole[0].tolist() == [False] * 4 + [True] * 2 + [False] * 4
    assert canvas.mirrored[0].tolist() == [True] * 4 + [False] * 6


def test_no_more_than_needed_is_mirrored() -> None:
    canvas = images.extend(Picture(np.zeros((1000, 2000, 3), np.uint8), "RGB", {}), bottom=10)
    assert canvas.picture.size == (1000 + 10 + 256, 2000)


def test_new_parts_are_opaque() -> None:
    for kind, opaque in ((np.uint8, 255), (np.uint16, 65535), (np.float32, 1)):
        canvas = images.extend(Picture(np.zeros((4, 4, 4), kind), "RGBA", {}), top=1)
        assert (canvas.picture.pixels[canvas.hole] == [0, 0, 0, opaque]).all()


@pytest.mark.parametrize("sides", [{}, {"left": -1, "top": 5}])
def test_sides_that_cannot_be_meant_are_refused(sides: dict[str, int]) -> None:
    with pytest.raises(InputError, match="a canvas grows by 0 or more pixels"):
        images.extend(Picture(np.zeros((4, 4, 3), np.uint8), "RGB", {}), **sides)

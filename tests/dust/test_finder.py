"""The finder with its bundled network: planted dust is found, a clean picture stays clean, options do what they say."""

from importlib import resources

import numpy as np
import pytest
from numpy.typing import NDArray

from temperfill import images
from temperfill.dust import DustFinder
from temperfill.dust.finder import widest_for
from temperfill.errors import InputError
from temperfill.options import DustOptions

SPECKS = [(30, 40, 3), (80, 150, 5), (140, 60, 2), (60, 200, 4), (150, 210, 3)]


@pytest.fixture(scope="module")
def finder() -> DustFinder:
    return DustFinder()


def hills(side: int = 256) -> NDArray[np.float32]:
    """A landscape without anything small, with a little grain."""
    y, x = np.mgrid[:side, :side] / side
    slope = 0.5 + 0.12 * np.sin(5 * x + 2 * y) + 0.06 * np.cos(9 * y)
    grain = np.random.default_rng(0).normal(0, 0.012, (side, side, 3))
    return (slope[..., None] * np.array([0.8, 1, 0.7]) + grain).clip(0, 1).astype(np.float32)


def dusty(
    rgb: NDArray[np.float32], value: float, scale: int = 1
) -> tuple[NDArray[np.float32], list[NDArray[np.bool_]]]:
    """Soft specks on a picture, and each of them."""
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    out, marks = rgb.copy(), []
    for row, column, radius in SPECKS:
        cover = (radius * scale + 0.5 - np.hypot(rows - row * scale, columns - column * scale)).clip(0, 1)[..., None]
        out = out * (1 - 0.95 * cover) + 0.95 * cover * value
        marks.append(cover[..., 0] > 0.5)
    return out.astype(np.float32), marks


@pytest.mark.parametrize(("kind", "other", "value"), [("bright", "dark", 0.97), ("dark", "bright", 0.05)])
def test_specks_are_found_and_nothing_else(finder: DustFinder, kind: str, other: str, value: float) -> None:
    assert finder(hills()).count == 0
    scan, marks = dusty(hills(), value)
    dust = finder(scan)
    assert dust.count == len(SPECKS)
    for mark in marks:
        assert dust.mask[mark].all()
    assert dust.mask.sum() < 4 * sum(mark.sum() for mark in marks)
    assert finder(scan, DustOptions(dust=kind)).count == len(SPECKS)
    assert finder(scan, DustOptions(dust=other)).count == 0


def test_whole_numbers_mean_the_same_as_floats(finder: DustFinder) -> None:
    scan, _ = dusty(hills(), 0.97)
    mask = finder(scan).mask
    assert mask.any()
    assert (finder(np.rint(scan * 255).astype(np.uint8)).mask == mask).all()
    deep = np.rint(scan * 65535).astype(np.uint16)
    assert (finder(deep).mask == finder((deep / 65535).astype(np.float32)).mask).all()
    for wrong in (scan[..., 0], scan[..., :2], scan > 0.5, np.rint(scan * 255).astype(np.int64)):
        with pytest.raises(InputError, match=r"dust is looked for in an array \(H, W, 3\)"):
            finder(wrong)


def test_widths_are_kept_to(finder: DustFinder) -> None:
    scan, marks = dusty(hills(), 0.97)
    narrow, wide = finder(scan, DustOptions(widest=5)), finder(scan, DustOptions(narrowest=6))
    is_narrow = [bool(narrow.mask[mark].all()) for mark in marks]
    assert is_narrow == [not wide.mask[mark].any() for mark in marks]
    assert is_narrow == [radius == 2 for _, _, radius in SPECKS]


def test_wide_marks_of_large_scans_are_found_in_parts_of_them(finder: DustFinder) -> None:
    scan, marks = dusty(hills(1120)[:820], 0.97, scale=5)
    assert widest_for(1280, 1280) == 24
    dust = finder(scan, DustOptions(widest=50))
    assert [bool(dust.mask[mark].mean() > 0.9) for mark in marks] == [True] * len(SPECKS)


@pytest.mark.parametrize("wrong", [{"sensitivity": 1.0}, {"sensitivity": float("nan")}, {"dust": "red"}])
def test_other_values_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        DustOptions(**wrong)


def test_tiny_pictures_and_the_bundled_photograph_have_none(finder: DustFinder) -> None:
    assert finder(np.full((3, 5, 3), 0.5, np.float32)).count == 0
    photograph = resources.files("temperfill") / "samples" / "photo.jpg"
    with resources.as_file(photograph) as path:
        assert finder(images.to_rgb(images.open_picture(path))).count == 0

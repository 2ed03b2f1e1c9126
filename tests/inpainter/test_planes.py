"""Planes of a window: their sizes, what shrinking keeps apart, and what is pasted where."""

import numpy as np
import pytest

from temperfill.inpainter.planes import HoledPicture, Planes, enlarge
from temperfill.regions import Window


@pytest.fixture
def holed() -> HoledPicture:
    hole = np.zeros((30, 41), bool)
    hole[10:17, 12:20] = True
    sketch = np.zeros((30, 41), bool)
    sketch[12:15, 5:30] = True
    return HoledPicture(np.random.default_rng(0).random((30, 41, 3), np.float32), hole, sketch)


def test_a_window_holds_the_pixels_of_its_box(holed: HoledPicture) -> None:
    planes = holed.planes((8, 4, 28, 36))
    assert planes.image.shape == (1, 3, 20, 32)
    assert planes.mask.shape == (1, 1, 20, 32)
    assert planes.sketch is not None
    assert np.array_equal(planes.image[0].transpose(1, 2, 0), holed.rgb[8:28, 4:36])
    assert np.array_equal(planes.mask[0, 0] > 0.5, holed.hole[8:28, 4:36])
    inner = planes.cut((2, 3, 10, 11))
    assert np.array_equal(inner.image, planes.image[:, :, 2:10, 3:11])
    assert inner.sketch is not None
    assert np.array_equal(inner.sketch, planes.sketch[:, :, 2:10, 3:11])
    inner.image[:] = 0  # views
    assert planes.image[:, :, 2:10, 3:11].sum() == 0
    assert holed.rgb[10:18, 7:15].min() > 0  # but the picture stays


def test_shrinking_gives_whole_cells_and_thin_lines_and_hides_all_of_the_hole(holed: HoledPicture) -> None:
    planes = holed.planes((0, 0, 30, 41))
    small = planes.shrunk(3)
    assert small.image.shape[2:] == small.mask.shape[2:] == (12, 16)
    assert small.sketch is not None
    assert small.sketch.sum(2).max() == 1
    missing = planes.mask[..., :30, :39].reshape(1, 1, 10, 3, 13, 3).max((3, 5))
    assert np.array_equal(small.mask[..., :10, :13], missing)
    assert Planes(planes.image, planes.mask).shrunk(3).sketch is None


def test_pasting_keeps_known_pixels_and_leaves_the_rim_of_the_last_cells_out(holed: HoledPicture) -> None:
    planes = holed.planes((0, 0, 30, 41))
    filled = planes.paste(enlarge(np.full((1, 3, 8, 11), 2, np.float32), 4))
    missing = np.broadcast_to(planes.mask > 0.5, filled.shape)
    assert np.array_equal(filled[~missing], planes.image[~missing])
    assert (filled[missing] == 1).all()


def test_a_picture_takes_the_hole_of_a_window_and_knows_it_from_then_on(holed: HoledPicture) -> None:
    before = holed.rgb.copy()
    own = np.zeros((20, 20), bool)
    own[2:5, 6:10] = True
    holed.paste(Window((8, 8, 28, 28), own), np.full((20, 20, 3), 0.5, np.float32))
    changed = np.zeros((30, 41), bool)
    changed[10:13, 14:18] = True
    assert (holed.rgb[changed] == 0.5).all()
    assert np.array_equal(holed.rgb[~changed], before[~changed])
    assert holed.hole.sum() == 7 * 8 - 12

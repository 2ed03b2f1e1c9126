"""Offsets of cells: of what repeats, by its period; never to what must not be copied."""

import time

import numpy as np
import pytest

from synthesis.pictures import middle, noise, plain, stripes
from temperfill.arrays import Array
from temperfill.synthesis.detail import detail_of_cells
from temperfill.synthesis.draws import Draws, Numbers
from temperfill.synthesis.labelling import label
from temperfill.synthesis.patches import Mask


def offsets(picture: Array, hole: Mask, usable: Mask, seed: int = 0) -> Numbers:
    shown = np.where(hole, plain(picture, hole), picture)
    detail = detail_of_cells(shown, usable, 1)
    return label(shown, hole, usable, detail, Draws(seed))


def test_stripes_are_copied_along_their_period() -> None:
    picture = stripes(48, 56)
    hole = middle(picture)
    found = offsets(picture, hole, ~hole)
    assert (found[hole][:, 1] % 8 == 0).all()
    assert (found[~hole] == 0).all()


@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_copied_from_what_is_not_usable(seed: int) -> None:
    picture = noise(48, 56)
    hole = middle(picture)
    usable = ~hole
    usable[:, :20] = False
    found = offsets(picture, hole, usable, seed)
    source = np.argwhere(hole) + found[hole]
    assert usable[source[:, 0], source[:, 1]].all()


def test_a_long_scratch_takes_about_as_long_as_a_blob_of_its_pixels() -> None:
    """The known patches within half its length are found without a look around each of them."""
    picture = noise(400, 400)
    times = []
    for box in (np.s_[190:210, 190:209], np.s_[200:201, 10:390]):
        hole = np.zeros((400, 400), bool)
        hole[box] = True
        start = time.process_time()
        offsets(picture, hole, ~hole)
        times.append(time.process_time() - start)
    assert times[1] < 3 * times[0] + 2


def test_what_has_as_much_detail_as_the_rim_is_copied() -> None:
    """Not the smooth part, though the guide is smooth."""
    picture = noise(48, 96)
    picture[:, :, :40] = picture[:, :, :40].mean((1, 2), keepdims=True)
    hole = np.zeros((48, 96), bool)
    hole[16:32, 60:76] = True
    sources = [np.argwhere(hole) + offsets(picture, hole, ~hole, seed)[hole] for seed in range(4)]
    assert np.mean([source[:, 1] >= 36 for source in sources]) > 0.85

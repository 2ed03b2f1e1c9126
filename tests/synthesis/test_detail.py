"""How much detail: of full size, in cells of a smaller picture, and what a hole should have."""

import numpy as np

from synthesis.pictures import noise
from temperfill.synthesis.detail import detail_of_cells, expected_detail, strengthen
from temperfill.synthesis.filters import gradients


def test_detail_that_is_lost_in_small_cells_counts() -> None:
    picture = noise(64, 64)
    picture[..., :32] = 0.5
    usable = np.ones((64, 64), bool)
    usable[:24, 40:] = False
    picture[..., :24, 40:] = np.inf  # never looked at
    detail = detail_of_cells(np.nan_to_num(picture, posinf=9.0), usable, 8)
    assert detail.shape == (8, 8)
    assert np.isnan(detail[:3, 5:]).all()
    assert (detail[:, :2] < -11).all()
    squares = np.square(np.diff(picture[:, 40:, 40:], axis=1)).mean()
    assert abs(float(detail[6, 6]) - float(np.log(2 * squares))) < 0.3


def test_a_hole_should_have_the_detail_of_the_nearest_rim() -> None:
    detail = np.full((10, 20), np.nan, np.float32)
    detail[:, :6], detail[:, 14:] = -2.0, -6.0
    near = np.zeros((10, 20), bool)
    near[:, 4:6] = near[:, 14:16] = True
    found = expected_detail(detail, near, np.array([[5, 6], [5, 9], [5, 13]]))
    assert found[0] > -2.5
    assert -4.5 < found[1] < -3.0
    assert found[2] < -5.5
    assert np.isnan(expected_detail(detail, np.zeros_like(near), np.array([[5, 6]]))).all()


def test_a_mean_of_copies_gets_the_strength_of_single_ones() -> None:
    pictures = np.random.default_rng(0).random((2, 3, 64, 64), np.float32)
    one, other = (np.concatenate(gradients(picture)) for picture in pictures)
    hole = np.zeros((64, 64), bool)
    hole[8:56, 8:56] = True
    mean = (one + other) / 2
    found = strengthen(mean, one, hole)
    strength = np.square(found[:, hole]).mean() / np.square(one[:, hole]).mean()
    assert abs(float(strength) - 1) < 0.03  # the mean has half of it
    assert np.array_equal(found[:, ~hole], mean[:, ~hole])
    assert np.abs(found[:, hole] / mean[:, hole] - np.sqrt(2)).max() < 0.1


def test_what_is_strong_enough_stays_and_nothing_is_multiplied_by_more_than_two() -> None:
    steps = np.concatenate(gradients(noise(32, 32)))
    hole = np.ones((32, 32), bool)
    assert np.array_equal(strengthen(steps, steps / 2, hole), steps)
    assert np.allclose(strengthen(steps / 5, steps, hole), steps * 2 / 5)
    assert not strengthen(np.zeros_like(steps), np.zeros_like(steps), hole).any()

"""How much detail: of full size, in cells of a smaller picture, and what a hole should have."""

import numpy as np

from synthesis.pictures import noise
from temperfill.synthesis.detail import detail_of_cells, expected_detail


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

"""How much detail: of full size, in cells of a smaller picture, and what a hole should have."""

import torch

from synthesis.pictures import noise
from temperfill.synthesis.detail import detail_of_cells, expected_detail


def test_detail_that_is_lost_in_small_cells_counts() -> None:
    picture = noise(64, 64)[None]
    picture[..., :32] = 0.5
    usable = torch.ones(64, 64, dtype=torch.bool)
    usable[:24, 40:] = False
    picture[..., :24, 40:] = torch.inf  # never looked at
    detail = detail_of_cells(picture.nan_to_num(posinf=9.0), usable, 8)
    assert detail.shape == (8, 8)
    assert detail[:3, 5:].isnan().all()
    assert (detail[:, :2] < -11).all()
    squares = (picture[..., 1:, :] - picture[..., :-1, :])[..., 40:, 40:].square().mean()
    assert abs(float(detail[6, 6]) - float((2 * squares).log())) < 0.3


def test_a_hole_should_have_the_detail_of_the_nearest_rim() -> None:
    detail = torch.full((10, 20), torch.nan)
    detail[:, :6], detail[:, 14:] = -2.0, -6.0
    near = torch.zeros(10, 20, dtype=torch.bool)
    near[:, 4:6] = near[:, 14:16] = True
    found = expected_detail(detail, near, torch.tensor([[5, 6], [5, 9], [5, 13]]))
    assert found[0] > -2.5
    assert -4.5 < found[1] < -3.0
    assert found[2] < -5.5
    assert expected_detail(detail, torch.zeros_like(near), torch.tensor([[5, 6]])).isnan().all()

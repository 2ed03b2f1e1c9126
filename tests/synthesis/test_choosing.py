"""Where copies are taken: where the guide is blurred, and shows the same."""

import torch
import torch.nn.functional as F

from synthesis.pictures import middle, noise
from temperfill.synthesis.choosing import share_of_copies


def share(copies: torch.Tensor, guide: torch.Tensor) -> float:
    hole = middle(copies[0], 0.8)
    found = share_of_copies(copies, guide, hole)
    assert found.shape == (1, 1, *hole.shape)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    return float(found[0, 0][hole].mean())


def blurred(picture: torch.Tensor) -> torch.Tensor:
    return F.avg_pool2d(F.pad(picture, (4,) * 4, mode="replicate"), 9, 1)


def test_copies_of_the_same_are_taken_over_a_blurred_guide() -> None:
    picture = noise()[None]
    assert share(picture, blurred(picture)) > 0.9


def test_a_sharp_guide_is_kept() -> None:
    picture = noise()[None]
    assert share(picture.flip(3), picture) < 0.1


def test_copies_of_other_colours_are_not_taken() -> None:
    picture = noise()[None]
    assert share((picture + 0.3).clamp(0, 1), blurred(picture)) < 0.2
    assert share((picture + 0.6).clamp(0, 1), blurred(picture)) < 0.05

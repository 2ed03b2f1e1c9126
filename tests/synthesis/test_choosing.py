"""Where copies are taken: where the guide is blurred, and shows the same."""

from synthesis.pictures import middle, noise, smoothed
from temperfill.arrays import Array
from temperfill.synthesis.choosing import share_of_copies


def share(copies: Array, guide: Array) -> float:
    hole = middle(copies, 0.8)
    found = share_of_copies(copies, guide, hole)
    assert found.shape == (1, *hole.shape)
    assert float(found.min()) >= 0
    assert float(found.max()) <= 1
    return float(found[0][hole].mean())


def test_copies_of_the_same_are_taken_over_a_blurred_guide() -> None:
    picture = noise()
    assert share(picture, smoothed(picture, 4)) > 0.9


def test_a_sharp_guide_is_kept() -> None:
    picture = noise()
    assert share(picture[:, :, ::-1], picture) < 0.1


def test_copies_of_other_colours_are_not_taken() -> None:
    picture = noise()
    assert share((picture + 0.3).clip(0, 1), smoothed(picture, 4)) < 0.2
    assert share((picture + 0.6).clip(0, 1), smoothed(picture, 4)) < 0.05

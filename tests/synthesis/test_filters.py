"""Gradients and Gaussian means, against numpy and scipy."""

import numpy as np
import pytest
from scipy import ndimage

from synthesis.pictures import middle, noise
from temperfill.synthesis.filters import blur, gradients


def test_gradients_are_differences_to_the_right_and_below() -> None:
    image = noise(20, 24)
    right, below = gradients(image)
    assert np.array_equal(right[..., :-1], np.diff(image, axis=2))
    assert np.array_equal(below[..., :-1, :], np.diff(image, axis=1))
    assert not right[..., -1].any()
    assert not below[..., -1, :].any()


@pytest.mark.parametrize("size", [(40, 44), (3, 200), (64, 1)])
def test_means_are_those_of_what_has_weight(size: tuple[int, int]) -> None:
    image = noise(*size)
    weight = (~middle(image))[None].astype(np.float32)
    found = blur(image, weight, 2.0)
    top, share = (
        ndimage.gaussian_filter(plane.astype(np.float64), 2.0, mode="nearest", radius=6)
        for plane in ((image * weight)[1], weight[0])
    )
    assert np.abs(found[1] - top / share.clip(1e-4)).max() < 1e-5

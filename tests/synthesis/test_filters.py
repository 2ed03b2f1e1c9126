"""Gradients and Gaussian means, against numpy and scipy."""

import numpy as np
import torch
from scipy import ndimage

from synthesis.pictures import middle, noise
from temperfill.synthesis.filters import blur, gradients


def test_gradients_are_differences_to_the_right_and_below() -> None:
    image = noise(20, 24)[None]
    right, below = gradients(image)
    assert torch.equal(right[..., :-1], image.diff(dim=3))
    assert torch.equal(below[..., :-1, :], image.diff(dim=2))
    assert not right[..., -1].any()
    assert not below[..., -1, :].any()


def test_means_are_those_of_what_has_weight() -> None:
    image, weight = noise(40, 44)[None], (~middle(noise(40, 44)))[None, None].float()
    found = blur(image, weight, 2.0)
    top, share = (
        ndimage.gaussian_filter(plane, 2.0, mode="nearest", radius=6)
        for plane in ((image * weight)[0, 1].double().numpy(), weight[0, 0].double().numpy())
    )
    assert np.abs(found[0, 1].numpy() - top / share.clip(1e-4)).max() < 1e-5

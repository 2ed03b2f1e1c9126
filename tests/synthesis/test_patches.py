"""Patches: which are whole, and that their few dimensions keep their distances."""

import numpy as np
import pytest

from synthesis.pictures import noise, stripes
from temperfill.synthesis import patches
from temperfill.synthesis.draws import Draws
from temperfill.synthesis.patches import around, describe, patch_basis, whole_patches


def test_whole_patches_lie_in_the_picture_and_off_the_hole() -> None:
    usable = np.ones((9, 11), bool)
    usable[4, 5] = False
    whole = whole_patches(usable, 3)
    expected = np.zeros((9, 11), bool)
    expected[1:-1, 1:-1] = True
    expected[3:6, 4:7] = False
    assert np.array_equal(whole, expected)
    assert not whole_patches(usable, 13).any()


def test_distances_are_those_of_patches() -> None:
    """Of stripes two dimensions tell all; distances are root mean squares over the pixels of a patch."""
    picture = stripes()
    whole = np.flatnonzero(whole_patches(np.ones(picture.shape[1:], bool), 7))
    kernel = patch_basis(picture, whole, 7, 8, Draws(0))
    described = describe(picture, kernel).reshape(*picture.shape[1:], -1)
    one, other = picture[:, 37:44, 17:24], picture[:, 57:64, 20:27]
    apart = ((described[40, 20] - described[60, 23]) ** 2).sum()
    assert abs(float(apart) - float(((one - other) ** 2).sum() / 49)) < 1e-5


def test_the_basis_follows_the_draws_alone() -> None:
    picture = noise()
    whole = np.flatnonzero(whole_patches(np.ones(picture.shape[1:], bool), 7))
    one, again, other = (patch_basis(picture, whole, 7, 8, Draws(seed)) for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_bands_of_rows_describe_as_the_whole_does(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise()
    basis = np.random.RandomState(0).rand(5, 3, 7, 7).astype(np.float32)
    whole = describe(picture, basis)
    direct = (np.pad(picture, ((0, 0), (3, 3), (3, 3)), "edge")[:, 20:27, 0:7] * basis).sum((1, 2, 3))
    assert np.allclose(whole.reshape(96, 112, 5)[20, 0], direct, atol=1e-4)
    monkeypatch.setattr(patches, "BAND", 10 * picture.shape[2] + 3)
    assert np.allclose(describe(picture, basis), whole, atol=1e-5)


def test_the_surroundings_of_a_hole_end_at_the_picture() -> None:
    hole = np.zeros((20, 30), bool)
    hole[2, 5] = hole[15, 9] = True
    assert hole[around(hole, 0)].shape == (14, 5)
    assert hole[around(hole, 4)].shape == (20, 13)

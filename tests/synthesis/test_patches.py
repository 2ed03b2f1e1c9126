"""Patches: which are whole, and that their few dimensions keep their distances."""

import pytest
import torch

from synthesis.pictures import noise, stripes
from temperfill.synthesis import patches
from temperfill.synthesis.patches import around, describe, patch_basis, whole_patches


def test_whole_patches_lie_in_the_picture_and_off_the_hole() -> None:
    usable = torch.ones(9, 11, dtype=torch.bool)
    usable[4, 5] = False
    whole = whole_patches(usable, 3)
    expected = torch.zeros(9, 11, dtype=torch.bool)
    expected[1:-1, 1:-1] = True
    expected[3:6, 4:7] = False
    assert torch.equal(whole, expected)


def test_distances_are_those_of_patches() -> None:
    """Of stripes two dimensions tell all; distances are root mean squares over the pixels of a patch."""
    picture = stripes()[None]
    whole = whole_patches(torch.ones(picture.shape[2:], dtype=torch.bool), 7).flatten().nonzero()[:, 0]
    kernel = patch_basis(picture, whole, 7, 8, torch.Generator().manual_seed(0))
    described = describe(picture, kernel).unflatten(0, picture.shape[2:])
    one, other = picture[0, :, 37:44, 17:24], picture[0, :, 57:64, 20:27]
    apart = ((described[40, 20] - described[60, 23]) ** 2).sum()
    assert abs(float(apart) - float(((one - other) ** 2).sum() / 49)) < 1e-5


def test_the_basis_follows_the_generator_alone() -> None:
    picture = noise()[None]
    whole = whole_patches(torch.ones(picture.shape[2:], dtype=torch.bool), 7).flatten().nonzero()[:, 0]
    one, again, other = (patch_basis(picture, whole, 7, 8, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
    assert torch.equal(one, again)
    assert not torch.equal(one, other)


def test_bands_of_rows_describe_as_the_whole_does(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = noise()[None]
    basis = torch.rand(5, 3, 7, 7, generator=torch.Generator().manual_seed(0))
    whole = describe(picture, basis)
    monkeypatch.setattr(patches, "BAND", 10 * picture.shape[3] + 3)
    assert torch.allclose(describe(picture, basis), whole, atol=1e-5)


def test_the_surroundings_of_a_hole_end_at_the_picture() -> None:
    hole = torch.zeros(20, 30, dtype=torch.bool)
    hole[2, 5] = hole[15, 9] = True
    assert hole[around(hole, 0)].shape == (14, 5)
    assert hole[around(hole, 4)].shape == (20, 13)

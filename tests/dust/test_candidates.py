"""Candidates: every small bright part is found, whole, and nothing on an even ground."""

import numpy as np
import pytest
from numpy.typing import NDArray

from temperfill.dust.candidates import FEATURES, Candidate, find


def ground(height: int = 90, width: int = 110) -> NDArray[np.uint8]:
    """A slope with a step, such as a wall before a sky."""
    grey = np.linspace(40, 120, width)[None].repeat(height, 0)
    grey[:, 70:] += 60
    return np.repeat(grey[..., None], 3, 2).astype(np.uint8)


def test_an_even_ground_has_none() -> None:
    candidates, figures = find(ground())
    assert candidates == []
    assert figures.shape == (0, FEATURES)


@pytest.mark.parametrize("column", [30, 66, 95])  # on the slope, touching the step, behind it
@pytest.mark.parametrize("side", [3, 6, 12])
def test_a_speck_is_found_whole(side: int, column: int) -> None:
    picture = ground()
    picture[40 : 40 + side, column - side : column] = 250
    speck = np.zeros(picture.shape[:2], bool)
    speck[40 : 40 + side, column - side : column] = True
    candidates, figures = find(picture)
    assert len(candidates) == len(figures) > 0
    assert np.isfinite(figures).all()
    assert max(overlap(candidate, speck) for candidate in candidates) > 0.9


def test_the_centre_of_a_bow_lies_on_it() -> None:
    part = np.zeros((9, 9), bool)
    part[:, 0] = part[0] = True
    row, column = Candidate(20, 30, part).centre
    assert part[row - 20, column - 30]


def overlap(candidate: Candidate, wanted: NDArray[np.bool_]) -> float:
    """Share of both that both have."""
    found = np.zeros_like(wanted)
    height, width = candidate.part.shape
    found[candidate.top : candidate.top + height, candidate.left : candidate.left + width] = candidate.part
    return float((found & wanted).sum() / (found | wanted).sum())

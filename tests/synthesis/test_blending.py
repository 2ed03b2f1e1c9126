"""The screened Poisson equation: against a dense solver, and what a user would see."""

import numpy as np
import pytest

from synthesis.pictures import middle, noise
from temperfill.arrays import Array
from temperfill.synthesis.blending import blend
from temperfill.synthesis.filters import gradients
from temperfill.synthesis.patches import Mask


def screen(image: Array, value: float) -> Array:
    return np.full_like(image[:1], value)


def dense(
    image: Array,
    hole: Mask,
    guide: Array,
    right: Array,
    below: Array,
    screening: float,
) -> Array:
    """By least squares over all pixels of one channel."""
    height, width = hole.shape
    number = {place: n for n, place in enumerate(map(tuple, np.argwhere(hole).tolist()))}
    rows, wanted = [], []

    def add(entries: dict[tuple[int, int], float], value: float, weight: float) -> None:
        row = np.zeros(len(number))
        for place, sign in entries.items():
            if place in number:
                row[number[place]] += sign
            else:
                value -= sign * float(image[place])
        if row.any():
            rows.append(row * weight)
            wanted.append(value * weight)

    for y in range(height):
        for x in range(width):
            if x + 1 < width:
                add({(y, x + 1): 1, (y, x): -1}, float(right[y, x]), 1)
            if y + 1 < height:
                add({(y + 1, x): 1, (y, x): -1}, float(below[y, x]), 1)
            add({(y, x): 1}, float(guide[y, x]), screening**0.5)
    found = image.copy()
    found[hole] = np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]
    return found


@pytest.mark.parametrize("at_the_border", [False, True])
def test_equals_a_dense_solver(at_the_border: bool) -> None:
    image = noise(14, 16)
    guide, other, hole = image[:, ::-1], image[:, :, ::-1], middle(image, 0.6)
    if at_the_border:
        hole = np.roll(hole, (-3, 4), (0, 1))
        hole[0, :] = True
    right, below = gradients(other)
    found = blend(image, hole, guide, right, below, screen(image, 0.05))
    for channel in range(3):
        planes = (image[channel], hole, guide[channel], right[channel], below[channel])
        assert np.abs(found[channel] - dense(*planes, 0.05)).max() < 1e-4


def test_known_pixels_keep_their_bits() -> None:
    image = noise()
    hole = middle(image)
    found = blend(image, hole, 1 - image, *gradients(image), screen(image, 0.01))
    assert np.array_equal(found[:, ~hole], image[:, ~hole])


def test_gradients_of_the_truth_give_the_truth_whatever_the_guide() -> None:
    image = noise()
    hole = middle(image)
    guide = np.full_like(image, 0.5)
    found = blend(np.where(hole, 0, image), hole, guide, *gradients(image), screen(image, 1e-6))
    assert np.abs(found - image).max() < 0.002

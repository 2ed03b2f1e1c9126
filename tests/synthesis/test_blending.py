"""The screened Poisson equation: against a dense solver, and what a user would see."""

import numpy as np
import pytest
import torch

from synthesis.pictures import middle, noise
from temperfill.synthesis.blending import blend
from temperfill.synthesis.filters import gradients


def screen(image: torch.Tensor, value: float) -> torch.Tensor:
    return torch.full_like(image[:, :1], value)


def dense(
    image: torch.Tensor,
    hole: torch.Tensor,
    guide: torch.Tensor,
    right: torch.Tensor,
    below: torch.Tensor,
    screening: float,
) -> torch.Tensor:
    """By least squares over all pixels of one channel."""
    height, width = hole.shape
    number = {place: n for n, place in enumerate(map(tuple, hole.nonzero().tolist()))}
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
    found = image.clone()
    found[hole] = torch.from_numpy(np.linalg.lstsq(np.array(rows), np.array(wanted), rcond=None)[0]).float()
    return found


@pytest.mark.parametrize("at_the_border", [False, True])
def test_equals_a_dense_solver(at_the_border: bool) -> None:
    image, guide, other = noise(14, 16)[None], noise(14, 16).flip(1)[None], noise(14, 16).flip(2)[None]
    hole = middle(image[0], 0.6)
    if at_the_border:
        hole = hole.roll((-3, 4), (0, 1))
        hole[0, :] = True
    right, below = gradients(other)
    found = blend(image, hole, guide, right, below, screen(image, 0.05))
    for channel in range(3):
        planes = (image[0, channel], hole, guide[0, channel], right[0, channel], below[0, channel])
        assert (found[0, channel] - dense(*planes, 0.05)).abs().max() < 1e-4


def test_known_pixels_keep_their_bits() -> None:
    image = noise()[None]
    hole = middle(image[0])
    found = blend(image, hole, 1 - image, *gradients(image), screen(image, 0.01))
    assert torch.equal(found[0][:, ~hole], image[0][:, ~hole])


def test_gradients_of_the_truth_give_the_truth_whatever_the_guide() -> None:
    image = noise()[None]
    hole = middle(image[0])
    guide = torch.full_like(image, 0.5)
    found = blend(torch.where(hole, 0, image), hole, guide, *gradients(image), screen(image, 1e-6))
    assert (found - image).abs().max() < 0.002

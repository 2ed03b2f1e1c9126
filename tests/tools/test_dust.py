"""The tools for dust: what counts, training that goes on from weights, and what the bundled network reaches."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from temperfill.dust import DustFinder
from temperfill.dust.candidates import Candidate
from temperfill.options import DustOptions
from tools.dust.measuring import measure, recalls
from tools.dust.planting import Mark, plant
from tools.dust.samples import _truth
from tools.dust.training import Look

SIDE = 192


def hills(rng: np.random.Generator) -> NDArray[np.floating]:
    y, x = np.mgrid[:SIDE, :SIDE] / SIDE
    slope = 120 + 40 * np.sin(5 * x + 2 * y) - 50 * (y > 0.5 + 0.1 * np.sin(9 * x))
    return slope + rng.normal(0, 3, (SIDE, SIDE))


def bricks(rng: np.random.Generator) -> NDArray[np.floating]:
    y, x = np.mgrid[:SIDE, :SIDE]
    row = y // 16
    column = (x + row % 2 * 16) // 32
    is_joint = (y % 16 < 2) | ((x + row % 2 * 16) % 32 < 2)
    tones = 95 + rng.normal(0, 12, (SIDE // 16, SIDE // 32 + 1))
    return np.where(is_joint, 150, tones[row, column]) + rng.normal(0, 4, (SIDE, SIDE))


def leaves(rng: np.random.Generator) -> NDArray[np.floating]:
    noise = ndimage.gaussian_filter(rng.normal(0, 1, (SIDE, SIDE)), 2)
    return 110 + 25 * noise / noise.std()


@pytest.fixture
def drawn() -> list[NDArray[np.uint8]]:
    """Calm ground, edges that repeat, and clutter, in colours."""
    tints = ((1, 0.95, 0.8), (1.1, 0.8, 0.7), (0.8, 1, 0.6))
    greys = [draw(np.random.default_rng(1)) for draw in (hills, bricks, leaves)]
    return [(grey[..., None] * tint).clip(0, 255).astype(np.uint8) for grey, tint in zip(greys, tints, strict=True)]


def test_most_planted_dust_is_found_and_no_other(drawn: list[NDArray[np.uint8]]) -> None:
    found = measure(DustFinder(), drawn, DustOptions())
    assert found["recall, marks"] > 15
    assert found["recall"] >= 0.9
    assert found["precision"] >= 0.9
    assert found["marks in 20 clean pictures"] == 0


def test_recalls_are_counted_by_kind() -> None:
    speck, hair = Mark(90, 10, 12, is_line=False), Mark(60, 40, 90, is_line=True)
    unseen = Mark(10, 40, 12, is_line=False)
    found = recalls([(speck, True), (speck, False), (hair, True), (unseen, False)])
    assert found["recall"] == pytest.approx(2 / 3)
    assert (found["specks below 6 pixels"], found["specks below 6 pixels, marks"]) == (0.5, 2)
    assert (found["lines"], found["on texture"], found["on calm ground"]) == (1, 1, 0.5)
    assert found["invisible ones as well"] == 0.5


@pytest.mark.parametrize(
    ("first", "last", "truth"),
    [(0, 40, 1), (0, 8, 1), (30, 60, -1), (38, 60, -1), (44, 60, 0)],  # whole, a piece, half beside it, its tip, off it
)
def test_a_piece_of_a_hair_is_dust(first: int, last: int, truth: int) -> None:
    labels = np.zeros((5, 60), np.int32)
    labels[2, :40] = 1
    near = ndimage.binary_dilation(labels > 0, iterations=2)
    candidate = Candidate(2, first, np.ones((1, last - first), bool))
    assert _truth(candidate, labels, [Mark(90, 10, 40, is_line=True)], near) == truth


def test_lines_are_told_from_specks() -> None:
    marks = plant(np.full((200, 200, 3), 90, np.uint8), np.random.default_rng(0), specks=4, lines=2)[2]
    assert [mark.is_line for mark in marks] == [False] * 4 + [True] * 2


def test_training_goes_on_from_weights() -> None:
    weights = Look().tensors()
    again = Look().load(weights).tensors()
    assert weights.keys() == again.keys()
    assert all(np.array_equal(again[name], weight) for name, weight in weights.items())

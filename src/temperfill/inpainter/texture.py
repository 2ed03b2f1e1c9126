"""Texture of the picture laid over what a network drew in a thick hole, and its grain.

How: :mod:`temperfill.synthesis`.
"""

from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from temperfill import regions
from temperfill.geometry import Box
from temperfill.inpainter.planes import Array, Hole
from temperfill.inpainter.progress import FillProgress
from temperfill.inpainter.surroundings import bound, parts_and_colours
from temperfill.synthesis import Synthesis, synthesise
from temperfill.synthesis.grain import continue_grain

STEPS = 8
"""Of the progress of a window, taken by the copying."""
NEAR = 128
"""Pixels around a hole that are copied from, at least; around a thicker hole as many as it is across."""
FAR = 640
"""The same at most: what is farther away is rarely of one kind with the hole, and takes time and memory."""
NOISE = 96
"""Pixels around a hole in which noise is measured."""
RARE = 0.005
"""Share of these colours, at either end, that does not count."""
ASKED = 300_000
"""How many of them are looked at, about."""
BEYOND = 0.02
"""How far beyond them what was drawn may go."""
_THREADS = 1  # of BLAS, whose threads wait for each other in many small products, and spin where others want the cores


class Copied(NamedTuple):
    """What was copied into a window.

    Attributes:
        box: the part of the window that was worked on.
        found: of this part.
    """

    box: Box
    found: Synthesis


def copy_texture(
    drawn: Array, hole: Hole, unusable: Hole, across: float, seed: int, progress: FillProgress
) -> tuple[Array, Copied | None]:
    """Fills the hole of a window with pieces of what is known around it, as what was drawn says.

    Args:
        drawn: (h, w, 3) in [0, 1], known pixels, and what the network drew elsewhere.
        hole: (h, w), True = to be filled here.
        unusable: (h, w), True = not known, or not to be copied from; holds the hole.
        across: largest circle in the hole, pixels across.
        seed: another one gives another result.
        progress: of the picture; is told of ``STEPS`` steps.

    Returns:
        (h, w, 3), and what was copied; what was drawn and None where too little is known to copy from.
    """
    top, left, bottom, right = regions.grow(regions.bounds(hole), int(min(max(across, NEAR), FAR)), hole.shape)
    near = np.s_[top:bottom, left:right]
    beat = _Beat(progress)
    shown = drawn[near].copy()
    beat(0.0)
    _bound(shown, hole[near], ~unusable[near])
    beat(0.0)
    image = np.ascontiguousarray(shown.transpose(2, 0, 1))
    with threadpool_limits(_THREADS, "blas"):
        found = synthesise(image, hole[near], image, unusable[near] & ~hole[near], seed, beat)
    beat(1.0)
    if found is None:
        return drawn, None
    filled = drawn.copy()
    filled[near] = found.image.transpose(1, 2, 0)
    beat(1.0)
    bound(filled[near], hole[near], ~unusable[near])  # differences of copies add up beyond what they come from
    return filled, Copied((top, left, bottom, right), found)


def continue_noise(filled: Array, hole: Hole, known: Hole, seed: int) -> None:
    """Adds to the hole of a window, in place, what it lacks of the noise around it.

    Args:
        filled: (h, w, 3) in [0, 1].
        hole: (h, w), True = was filled.
        known: (h, w), True = noise is measured here.
        seed: of what is added.
    """
    top, left, bottom, right = regions.grow(regions.bounds(hole), NOISE, hole.shape)
    near = np.s_[top:bottom, left:right]
    image = np.ascontiguousarray(filled[near].transpose(2, 0, 1))
    with threadpool_limits(_THREADS, "blas"):
        grained = continue_grain(image, hole[near], known[near], seed)
    filled[near] = grained.transpose(1, 2, 0)


def _bound(shown: Array, hole: Hole, known: Hole) -> None:
    """Keeps, in place, what was drawn within the colours that are known around each part of the hole.

    A network now and then invents a light in a dark corner.
    """
    for drawn, part, colours in parts_and_colours(shown, hole, known):
        if len(colours):
            asked = colours[:: -(-len(colours) // ASKED)]
            low, high = np.quantile(asked, (RARE, 1 - RARE), axis=0)
            np.clip(drawn, low - BEYOND, high + BEYOND, out=drawn, where=part[..., None])


class _Beat:
    """Advances the progress as the copying does, and lets the caller end it."""

    def __init__(self, progress: FillProgress) -> None:
        self.progress, self.steps = progress, 0

    def __call__(self, share: float) -> None:
        while self.steps < int(share * STEPS):
            self.steps += 1
            self.progress.advance()
        self.progress.beat()

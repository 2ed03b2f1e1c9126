"""Lays the detail of copies over a guide, so that no seam and no jump of colour is seen.

The result has the gradients of the copies and stays near the guide where these leave it free: the screened Poisson
equation (Bhat et al., GradientShop, 2010), with the known pixels as its rim (Pérez et al., Poisson Image Editing,
2003).
"""

from collections.abc import Callable

import numpy as np

from temperfill.arrays import Array, mean, pad
from temperfill.distances import nothing
from temperfill.synthesis.patches import Mask, around

SMALLEST = 32
"""Pixels on a side of the hole's box below which nothing is solved at half the size first."""
ITERATIONS = 60
"""Of conjugate gradients, at most."""
CLOSE = 1e-10
"""Mean square of the remainder at which they stop."""


def blend(
    image: Array,
    hole: Mask,
    guide: Array,
    right: Array,
    below: Array,
    screening: Array,
    beat: Callable[[], None] = nothing,
) -> Array:
    """Minimises the squared difference to the gradients plus ``screening`` times that to the guide, in the hole.

    Args:
        image: (3, H, W), looked at outside the hole only.
        hole: (H, W) bool, not empty.
        guide: (3, H, W).
        right: (3, H, W) wanted differences to the pixel on the right; those across the rim are taken as they come.
        below: (3, H, W) wanted differences to the pixel below.
        screening: (1, H, W), weight of the guide; its influence begins at about ``1 / sqrt(screening)`` pixels.
        beat: called now and then; what it raises ends the work.

    Returns:
        (3, H, W), the image outside the hole.
    """
    near = around(hole, 1)
    inside = hole[near]
    start = guide[:, *near]
    if min(inside.shape) > SMALLEST:
        start = start + _change(image, hole, guide, right, below, screening, beat)[:, *near]
    solver = _Solver(inside, screening[0][near], beat)
    result = image.copy()
    for channel in range(len(image)):
        known, drawn, across, down = (plane[channel][near] for plane in (image, guide, right, below))
        solved = solver.solve(known, drawn, across, down, start[channel])
        result[channel][near][inside] = solved[inside]
    return result


def _change(
    image: Array,
    hole: Mask,
    guide: Array,
    right: Array,
    below: Array,
    screening: Array,
    beat: Callable[[], None],
) -> Array:
    """What blending changes of the guide at half the size, enlarged: far places tell each other of the rim there."""
    height, width = hole.shape
    border = np.pad(hole, ((0, height % 2), (0, width % 2)))
    # A small pixel that is known in part counts as hole.
    covered = border[::2, ::2] | border[1::2, ::2] | border[::2, 1::2] | border[1::2, 1::2]
    small, across, down, screen = (
        mean(pad(plane, height % 2, width % 2), 2) for plane in (np.where(hole, guide, image), right, below, screening)
    )
    found = blend(small, covered, small, 2 * across, 2 * down, 4 * screen, beat)
    # By repetition, which is as good: the steps in between are for this size.
    return (found - small).repeat(2, 1).repeat(2, 2)[:, :height, :width]


class _Solver:
    """Conjugate gradients for one channel at a time.

    Args:
        inside: (h, w), what is solved for; the picture goes on or ends around it.
        screening: (h, w).
        beat: called before every step.
    """

    def __init__(self, inside: Mask, screening: Array, beat: Callable[[], None]) -> None:
        self._inside, self._screening, self._beat = inside, screening, beat
        self._outside = ~inside
        self._pixels = float(inside.sum())
        self._diagonal = screening + np.float32(4)
        for rim in (self._diagonal[0], self._diagonal[-1], self._diagonal[:, 0], self._diagonal[:, -1]):
            rim -= 1

    def solve(self, image: Array, guide: Array, right: Array, below: Array, start: Array) -> Array:
        """(h, w), right inside only."""
        wanted = self._screening * guide
        wanted[:, 1:] += right[:, :-1]
        wanted[:, :-1] -= right[:, :-1]
        wanted[1:] += below[:-1]
        wanted[:-1] -= below[:-1]
        # What is known stays on one side of the equation, what is not on the other.
        solution = np.where(self._inside, start, image)
        remainder = wanted - self._system(solution)
        remainder[self._outside] = 0
        direction, size = remainder.copy(), _dot(remainder, remainder)
        part = np.empty_like(solution)
        for _ in range(ITERATIONS):
            if size <= CLOSE * self._pixels:
                break
            self._beat()
            changed = self._system(direction)
            changed[self._outside] = 0
            length = np.float32(size / max(_dot(direction, changed), 1e-30))
            solution += np.multiply(direction, length, out=part)
            remainder -= np.multiply(changed, length, out=part)
            size, before = _dot(remainder, remainder), size
            direction *= np.float32(size / max(before, 1e-30))
            direction += remainder
        return solution

    def _system(self, plane: Array) -> Array:
        """The screened Laplacian of a plane (h, w); beyond its borders nothing is asked."""
        result = self._diagonal * plane
        result[:, 1:] -= plane[:, :-1]
        result[:, :-1] -= plane[:, 1:]
        result[1:] -= plane[:-1]
        result[:-1] -= plane[1:]
        return result


def _dot(one: Array, other: Array) -> float:
    """Row by row, without BLAS, so that the order of the sum does not depend on the number of threads."""
    return float(np.einsum("yx,yx->y", one, other).sum(dtype=np.float64))

"""Lays the detail of copies over a guide, so that no seam and no jump of colour is seen.

The result has the gradients of the copies and stays near the guide where these leave it free: the screened Poisson
equation (Bhat et al., GradientShop, 2010), with the known pixels as its rim (Pérez et al., Poisson Image Editing,
2003).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

SMALLEST = 32
"""Pixels on a side of the hole's box below which nothing is solved at half the size first."""
ITERATIONS = 60
"""Of conjugate gradients, at most."""
CLOSE = 1e-10
"""Mean square of the remainder at which they stop."""


def blend(
    image: Tensor,
    hole: Tensor,
    guide: Tensor,
    right: Tensor,
    below: Tensor,
    screening: Tensor,
) -> Tensor:
    """Minimises the squared difference to the gradients plus ``screening`` times that to the guide, in the hole.

    Args:
        image: (1, 3, H, W), looked at outside the hole only.
        hole: (H, W) bool, not empty.
        guide: (1, 3, H, W).
        right: (1, 3, H, W) wanted differences to the pixel on the right; those across the rim are taken as they come.
        below: (1, 3, H, W) wanted differences to the pixel below.
        screening: (1, 1, H, W), weight of the guide; its influence begins at about ``1 / sqrt(screening)`` pixels.

    Returns:
        (1, 3, H, W), the image outside the hole.
    """
    rows, columns = hole.nonzero().unbind(1)
    near = (
        ...,
        slice(max(int(rows.min()) - 1, 0), int(rows.max()) + 2),
        slice(max(int(columns.min()) - 1, 0), int(columns.max()) + 2),
    )
    inside = hole[near].to(image.dtype)[None, None]
    across = torch.maximum(inside[..., 1:], inside[..., :-1])
    down = torch.maximum(inside[..., 1:, :], inside[..., :-1, :])
    screen = screening[near]

    def divergence(along: Tensor, downward: Tensor) -> Tensor:
        x, y = along * across, downward * down
        return F.pad(x, (1, 0)) - F.pad(x, (0, 1)) + F.pad(y, (0, 0, 1, 0)) - F.pad(y, (0, 0, 0, 1))

    def system(plane: Tensor) -> Tensor:
        apart = divergence(plane[..., 1:] - plane[..., :-1], plane[..., 1:, :] - plane[..., :-1, :])
        return (apart + screen * plane) * inside

    known = image[near] * (1 - inside)
    wanted = (divergence(right[near][..., :-1], below[near][..., :-1, :]) + screen * guide[near]) * inside
    start = guide[near]
    if min(inside.shape[2:]) > SMALLEST:
        start = start + _change(image, hole, guide, right, below, screening)[near]
    solved = _conjugate_gradients(system, wanted - system(known), start * inside, float(inside.sum()))
    result = image.clone()
    result[near] = torch.where(inside > 0, solved, image[near])
    return result


def _change(
    image: Tensor,
    hole: Tensor,
    guide: Tensor,
    right: Tensor,
    below: Tensor,
    screening: Tensor,
) -> Tensor:
    """What blending changes of the guide at half the size, enlarged: far places tell each other of the rim there."""
    height, width = hole.shape
    border = (0, width % 2, 0, height % 2)

    def half(plane: Tensor) -> Tensor:
        return F.avg_pool2d(F.pad(plane, border, mode="replicate"), 2)

    covered = F.max_pool2d(F.pad(hole[None, None].to(image), border), 2)[0, 0] > 0
    # A small pixel that is known in part counts as hole.
    small = half(torch.where(hole, guide, image))
    found = blend(small, covered, small, 2 * half(right), 2 * half(below), 4 * half(screening))
    # By repetition: interpolation rounds differently on another number of threads.
    return (found - small).repeat_interleave(2, 2).repeat_interleave(2, 3)[..., :height, :width]


def _conjugate_gradients(system: Callable[[Tensor], Tensor], wanted: Tensor, start: Tensor, pixels: float) -> Tensor:
    """Solves a symmetric positive system for each channel."""
    solution, remainder = start, wanted - system(start)
    direction, size = remainder, _dot(remainder, remainder)
    for _ in range(ITERATIONS):
        if float(size.max()) <= CLOSE * pixels:
            break
        changed = system(direction)
        length = size / _dot(direction, changed).clamp_min(1e-30)
        solution = solution + length * direction
        remainder = remainder - length * changed
        size, before = _dot(remainder, remainder), size
        direction = remainder + size / before.clamp_min(1e-30) * direction
    return solution


def _dot(one: Tensor, other: Tensor) -> Tensor:
    """(1, C, 1, 1); row by row, so that the order of the sum does not depend on the number of threads."""
    return (one * other).sum(3, keepdim=True).sum(2, keepdim=True)

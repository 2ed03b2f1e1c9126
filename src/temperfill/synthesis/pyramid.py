"""The way from a photograph with a hole and a guide to a filled one: labels, a field through all sizes, blending."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from temperfill.arrays import Array, bilinear, mean, pad
from temperfill.distances import deepest
from temperfill.synthesis.blending import blend
from temperfill.synthesis.choosing import AROUND, PLAIN, detail_of, share_of_copies
from temperfill.synthesis.detail import detail_of_cells, strengthen
from temperfill.synthesis.draws import Draws, Numbers
from temperfill.synthesis.field import SIDE, PatchField
from temperfill.synthesis.filters import blur, gradients
from temperfill.synthesis.labelling import label
from temperfill.synthesis.patches import Mask, around, own_places, whole_patches

ACROSS = 32
"""About the largest circle in the hole, pixels across, at the size at which cells are labelled."""
CELLS = 4000
"""Cells that are labelled at most."""
SCREENING = 0.003
"""Weight of the guide against the gradients of the copies, at full size."""
LEAST = 0.001
"""Share of the screening that a plain place keeps."""
EDGE = 0.15
"""Difference of colours across the rim that is an edge of the picture and no error of the guide's tone."""
LARGEST = 400_000
"""Pixels of a hole above which the picture is halved first; only the finest detail is then copied at its own size."""
WIDEST = 4_000_000
"""Pixels of a picture above which the same is done."""
FEWEST = 64
"""Whole patches without which nothing is copied."""
_ROWS = 64  # of a picture that are enlarged at once


@dataclass(frozen=True)
class Synthesis:
    """A picture that was filled with pieces of itself.

    Attributes:
        image: (3, H, W) in [0, 1], known pixels as they were.
        sources: (H, W, 2), row and column that each pixel of the hole was copied from; of other pixels, their own.
        share: (H, W) in [0, 1], how far each pixel of the hole is a copy; the rest is the guide.
    """

    image: Array
    sources: Numbers
    share: Array


def _ignore(share: float) -> None:
    pass


def synthesise(
    image: Array,
    hole: Mask,
    guide: Array,
    avoid: Mask | None = None,
    seed: int = 0,
    on_step: Callable[[float], None] = _ignore,
) -> Synthesis | None:
    """Fills a hole with pieces of the picture, arranged as a guide says.

    Args:
        image: (3, H, W), float32 in [0, 1]; what it has in the hole does not matter.
        hole: (H, W) bool, True = missing.
        guide: (3, H, W), float32 in [0, 1], a picture of what the hole should show; its colours are followed, its lack
            of detail is not. Looked at in the hole only.
        avoid: (H, W) bool, True = known, but never copied from.
        seed: another one gives another result; the lowest 32 bits count.
        on_step: called many times a second with the share of the work that is done; what it raises ends it.

    Returns:
        The filled picture, or None where too little is known to copy from.
    """
    if not hole.any():
        return None
    usable = ~hole if avoid is None else ~hole & ~avoid
    done = _Done(on_step)
    done.tell()
    shown = np.where(hole, guide, image)
    done.tell()
    return _synthesised(shown, hole, usable, Draws(seed), done)


def _synthesised(shown: Array, hole: Mask, usable: Mask, draws: Draws, done: "_Done") -> Synthesis | None:
    """With a field of patches that is carried up to the size of the picture, unless that is large."""
    if int(hole.sum()) > LARGEST or hole.size > WIDEST:
        return _halved(shown, hole, usable, draws, done)
    sizes = [_Size(shown, hole, usable, 2**number) for number in range(_halvings(hole) + 1)]
    sizes = [size for size in sizes if int(whole_patches(size.usable, SIDE + 2).sum()) >= FEWEST]
    if not sizes or int(sizes[-1].hole.sum()) > 4 * CELLS:
        return None
    done.sizes = len(sizes)
    done.tell()
    last = sizes[-1]
    detail = detail_of_cells(sizes[0].image, sizes[0].usable, last.factor)
    offsets = label(last.image, last.hole, last.usable, detail, draws, done.tell)
    field = PatchField(last.image, last.hole, last.usable, draws, done.tell)
    field.begin(offsets)
    field.improve(field.vote())
    for size in reversed(sizes[:-1]):
        done.advance()
        before, field = field, PatchField(size.image, size.hole, size.usable, draws, done.tell)
        field.carry(before)
        field.improve(field.vote())
    done.advance()
    filled, share = shown.copy(), np.zeros_like(shown[0])
    voted = field.vote(with_gradients=True)
    done.tell()
    voted[3:] = strengthen(voted[3:], field.single(), hole[field.near])
    done.tell()
    filled[:, *field.near], share[field.near] = _blended(voted, sizes[0], field.near, done.tell)
    return Synthesis(np.where(hole, filled.clip(0, 1), shown), field.sources(), share * hole)


def _halved(shown: Array, hole: Mask, usable: Mask, draws: Draws, done: "_Done") -> Synthesis | None:
    """At half the size, with the finest detail copied along its sources."""
    small = _Size(shown, hole, usable, 2)
    done.tell()
    found = _synthesised(small.image, small.hole, small.usable, draws, done)
    if found is None:
        return None
    done.tell()
    finest = shown.copy()
    for rows, enlarged in _doubled(small.image, hole.shape):
        done.tell()
        finest[:, rows] -= enlarged
    sources, share = own_places(hole), np.zeros(hole.shape, np.float32)
    done.tell()
    filled = shown.copy()
    for rows, enlarged in _doubled(found.image, hole.shape):
        done.tell()
        inside = hole[rows]
        y, x = np.nonzero(inside)
        y += rows.start
        source = 2 * found.sources[y // 2, x // 2] + np.stack([y % 2, x % 2], 1)
        sources[y, x], share[y, x] = source, found.share[y // 2, x // 2]
        copied = enlarged[:, inside] + finest[:, source[:, 0], source[:, 1]]
        filled[:, y, x] = copied.clip(0, 1)
    return Synthesis(filled, sources, share)


def _doubled(planes: Array, shape: tuple[int, ...]) -> Iterator[tuple[slice, Array]]:
    """Some rows of planes (3, h, w) at twice their size, (3, n, W), after the others; up to a height and width."""
    padded = np.pad(planes, ((0, 0), (1, 1), (0, 0)), "edge")
    for top in range(0, planes.shape[1], _ROWS):
        rows = slice(2 * top, min(2 * (top + _ROWS), shape[0]))
        enlarged = bilinear(padded[:, top : top + _ROWS + 2], 2)
        yield rows, enlarged[:, 2 : 2 + rows.stop - rows.start, : shape[1]]


def _blended(voted: Array, size: "_Size", near: tuple[slice, slice], beat: Callable[[], None]) -> tuple[Array, Array]:
    """(3, h, w): gradients of copies or of the guide, whichever is better at each place, over the guide.

    And (h, w), the share of the copies.
    """
    image, hole = size.image[:, *near], size.hole[near]
    across, down = hole.copy(), hole.copy()
    across[:, :-1] ^= hole[:, 1:]
    down[:-1] ^= hole[1:]
    own_right, own_below = gradients(image)
    _join(own_right, across)
    _join(own_below, down)
    # The finest detail that a network draws may be hatching: it is no reason to keep the guide.
    guide = _softened(image)
    beat()
    share = share_of_copies(voted[:3], guide, hole)
    beat()
    right, below = own_right + share * (voted[3:6] - own_right), own_below + share * (voted[6:] - own_below)
    # Where nothing has detail, the guide knows the tone less well than the rim does.
    detail = blur(detail_of(right, below), hole[None].astype(np.float32), AROUND)
    screening = np.float32(SCREENING) * (detail / np.float32(PLAIN**2)).clip(LEAST, 1)
    return blend(image, hole, guide, right, below, screening, beat), share[0]


@dataclass
class _Done:
    """How much of the work is done: each size takes about three times as long as the one before it."""

    on_step: Callable[[float], None]
    sizes: int = 1
    share: float = 0.0

    def tell(self) -> None:
        self.on_step(self.share)

    def advance(self) -> None:
        """A size is done, the smallest first."""
        self.sizes -= 1
        self.share = 3.0**-self.sizes * 0.7
        self.tell()


def _halvings(hole: Mask) -> int:
    """How often the picture is halved until its hole can be labelled."""
    across = 2 * deepest(np.pad(hole[around(hole, 0)], 1))
    thin = max(round(math.log2(across / ACROSS)), 0)
    few = max(math.ceil(math.log2(float(hole.sum()) / CELLS) / 2), 0)
    return max(thin, few)


class _Size:
    """The picture, ``factor`` times shrunk, completed to whole cells of the largest factor by what is no hole."""

    def __init__(self, shown: Array, hole: Mask, usable: Mask, factor: int) -> None:
        height, width = hole.shape
        border = ((0, -height % factor), (0, -width % factor))
        self.factor = factor
        self.image = mean(pad(shown, border[0][1], border[1][1]), factor) if factor > 1 else shown
        self.hole = _any(np.pad(hole, border), factor)
        self.usable = ~_any(np.pad(~usable, border, constant_values=True), factor)


def _any(plane: Mask, factor: int) -> Mask:
    while factor > 1:
        plane, factor = plane[::2] | plane[1::2], factor // 2
        plane = plane[:, ::2] | plane[:, 1::2]
    return plane


def _softened(image: Array) -> Array:
    """The picture without the detail that is lost at half its size."""
    for _ in range(2):
        padded = np.pad(image, ((0, 0), (1, 1), (1, 1)), "edge")
        wide = padded[..., :-2] + padded[..., 1:-1] + padded[..., 2:]
        image = (wide[:, :-2] + wide[:, 1:-1] + wide[:, 2:]) / np.float32(9)
    return image


def _join(steps: Array, rim: Mask) -> None:
    """Differences of the guide, in place: across the rim none, unless so large that an edge must follow it."""
    steps[:, rim & (np.abs(steps).max(0) <= EDGE)] = 0

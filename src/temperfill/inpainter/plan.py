"""How a picture of any size is divided for a method that knows small ones: windows, how small, and refined where.

=============  =======================================================================================================
strategy       what is done
=============  =======================================================================================================
``full``       the whole picture at its own size, so that everything known can be copied from
``crop``       windows around the holes, at their own size
``multiscale`` windows are filled small and refined at larger sizes (:mod:`temperfill.inpainter.window_filler`)
``auto``       small pictures whole, others in windows; a window with a thick hole in multiscale
=============  =======================================================================================================
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from temperfill import regions
from temperfill.distances import deepest, grown, nothing
from temperfill.options import FillOptions

WHOLE_PIXELS = 640 * 640
"""Pictures up to this many pixels are filled whole, larger ones in windows around their holes."""
THICK = 128
"""Largest circle in a hole, pixels across, that is filled at full size; thicker ones lose their colour there."""
SHRUNK = 96
"""To how many pixels across a thicker one is shrunk, at most: about the largest in training."""
COPIED = 40
"""Largest circle in a hole of a large picture, pixels across, up to which no texture is copied into it."""
GUIDED = 192
"""To how many pixels across a hole is refined by the network, at most, where texture is copied into it."""
REFINED = 1024 * 1024
"""Pixels of the largest window that is refined at once."""
MATCHED = 160_000_000
"""Pairs of a cell of the hole and a known one in it, at most; above it the attention takes seconds."""
CELL = 4
"""Side of a cell of features, pixels; shrunk windows have sides of whole cells, so that cells at both sizes agree."""

Hole = NDArray[np.bool_]


@dataclass(frozen=True)
class ScaledWindow(regions.Window):
    """A window, and by how much it is shrunk."""

    factor: int
    across: float
    """Largest circle in the hole, pixels across."""

    def holds(self, point: tuple[int, int]) -> bool:
        """Whether a pixel of the picture, row and column, is filled here."""
        top, left, bottom, right = self.box
        row, column = point
        return top <= row < bottom and left <= column < right and bool(self.hole[row - top, column - left])

    @property
    def guiding(self) -> int:
        """By how much the picture is shrunk, at least, that guides the copying of texture."""
        return math.ceil(self.across / GUIDED) if self.factor > 1 else 1

    @cached_property
    def refined(self) -> regions.Window:
        """The part of this window that the refinement of its hole looks at; its box is one in this window."""
        top, left, bottom, right = regions.bounds(self.hole)
        whole = regions.Window((top, left, bottom, right), self.hole[top:bottom, left:right])
        return regions.widen(whole, self.hole.shape, regions.WINDOW, CELL, regions.CONTEXT)

    def sizes(self, factor: int, finest: int) -> list[int]:
        """By how much the window is shrunk at each size at which its hole is refined, after it was filled at one.

        Args:
            factor: by which it was shrunk.
            finest: by which it is shrunk at the last, at least.
        """
        finest = max(finest, self._finest)
        sizes = []
        while factor > finest:
            factor = max(math.ceil(factor / 2), finest)
            sizes.append(factor)
        return sizes

    @cached_property
    def _finest(self) -> int:
        """By how much it has to be shrunk for the largest refinement."""
        hole = self.refined.hole
        pairs = float(hole.sum()) / CELL**2 * float((~hole).sum()) / CELL**2
        return max(math.ceil((pairs / MATCHED) ** (1 / 4)), math.ceil((hole.size / REFINED) ** (1 / 2)))


def copies(window: ScaledWindow, size: tuple[int, ...], options: FillOptions) -> bool:
    """Whether texture is copied into the hole of a window of a picture of this height and width."""
    if options.texture != "auto":
        return options.texture == "copy"
    is_small = size[0] * size[1] <= WHOLE_PIXELS
    # All pieces of a long hole alike.
    return options.strategy == "auto" and max(window.across, window.cut_from) > (THICK if is_small else COPIED)


def sees_all(size: tuple[int, int], options: FillOptions) -> bool:
    """Whether all of a picture of this height and width can be copied from, and not windows around its holes alone."""
    small = size[0] * size[1] <= WHOLE_PIXELS and max(size) <= 2 * regions.LIMIT
    return small or options.strategy == "full" or options.context == "full"


def divide(hole: Hole, options: FillOptions, beat: Callable[[], None] = nothing) -> list[ScaledWindow]:
    """Divides the hole of a picture (H, W) into parts that are filled one after the other, as the options say.

    Each touches pixels that are known by then, unless none are: none is filled from nothing. ``beat`` is called now and
    then, and what it raises ends the work.
    """
    height, width = hole.shape
    if not hole.any():
        return []
    if sees_all((height, width), options):
        across = _across(hole, beat)
        return [ScaledWindow((0, 0, height, width), hole, _factor(across, options), across)]
    found = []
    for window in regions.windows(hole, beat=beat):
        cut_from, across = window.cut_from, _across(window.hole, beat)
        factor = _factor(across, options)
        if options.strategy != "crop":  # a window that is itself too large for one call
            factor = max(factor, math.ceil(max(window.hole.shape) / (regions.LIMIT + CELL)))
        if factor > 1:  # a shrunk window can afford more context
            window = regions.widen(window, hole.shape, regions.WINDOW * factor, CELL)
        found.append(ScaledWindow(window.box, window.hole, factor, across, cut_from=cut_from))
    return _rim_inwards(found, hole)


def _rim_inwards(windows: list[ScaledWindow], hole: Hole) -> list[ScaledWindow]:
    """The windows in their order, but those that touch nothing known only after what lies between."""
    missing, ordered, waiting = hole.copy(), [], list(windows)
    while waiting:
        later: list[ScaledWindow] = []
        for window in waiting:
            if not _touches(window, ~missing):
                later.append(window)
                continue
            top, left, bottom, right = window.box
            missing[top:bottom, left:right][window.hole] = False
            ordered.append(window)
        if len(later) == len(waiting):  # nothing is known at all
            return ordered + later
        waiting = later
    return ordered


def _touches(window: ScaledWindow, known: Hole) -> bool:
    """Whether a known pixel of the picture lies next to the hole of a window."""
    inside = regions.bounds(window.hole)
    box = (window.box[0] + inside[0], window.box[1] + inside[1], window.box[0] + inside[2], window.box[1] + inside[3])
    top, left, bottom, right = regions.grow(box, 1, known.shape)
    own = np.zeros((bottom - top, right - left), bool)
    own[box[0] - top : box[2] - top, box[1] - left : box[3] - left] = window.hole[
        inside[0] : inside[2], inside[1] : inside[3]
    ]
    return bool((grown(own, corners=False) & known[top:bottom, left:right]).any())


def _factor(across: float, options: FillOptions) -> int:
    """By how much a window is shrunk for the thickness of the hole that is to be filled in it."""
    if options.strategy in ("full", "crop"):
        return 1
    factor = math.ceil(across / SHRUNK) if across > THICK else 1
    return max(factor, 2) if options.strategy == "multiscale" else max(factor, 1)


def _across(hole: Hole, beat: Callable[[], None]) -> float:
    if not hole.any():
        return 0.0
    top, left, bottom, right = regions.bounds(hole)
    return 2 * deepest(np.pad(hole[top:bottom, left:right], 1), beat)

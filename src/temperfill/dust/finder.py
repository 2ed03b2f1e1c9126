"""Marks of dust, hairs and scratches on a scan, as a mask that a filling takes.

A candidate is a mark where the network is sure. Dust seldom comes alone: once a picture has sure marks of one kind,
bright or dark, less sure ones of this kind are marks as well.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from temperfill.dust.candidates import Candidate, Picture, find
from temperfill.dust.network import DustNetwork, Views, halved, load_network
from temperfill.errors import InputError
from temperfill.options import DustOptions

Mask = NDArray[np.bool_]

SURE = 5.5
"""Log odds from which a candidate is a mark by itself."""
IN_COMPANY = 0.0
"""Log odds from which it is one where there are sure ones of its kind."""
GROWN = 2
"""Pixels by which marks are grown, as their edges are soft."""
WIDEST = 12
"""Pixels: wider marks are found on a picture of half the size."""
LARGE = 1024
"""Pixels of the shorter side from which on marks may be twice as wide, and so on, unless the caller says how wide."""
_PART = 1024  # side of the parts in which large pictures are looked at
_AROUND = 64  # pixels around them that are seen, too
_NEIGHBOURS = np.ones((3, 3), bool)  # 8-connected


@dataclass(frozen=True)
class Dust:
    """What was found.

    Attributes:
        mask: (H, W), True on dust and ``GROWN`` pixels around it.
        count: number of marks.
    """

    mask: Mask
    count: int


class DustFinder:
    """Finds dust on pictures of any size.

    Args:
        network: None for the one that comes with the package.
    """

    def __init__(self, network: DustNetwork | None = None) -> None:
        self.network = load_network() if network is None else network

    def __call__(
        self, rgb: NDArray[np.floating[Any] | np.unsignedinteger[Any]], options: DustOptions | None = None
    ) -> Dust:
        """Dust of one picture.

        Args:
            rgb: (H, W, 3), floats in [0, 1], or unsigned whole numbers over their whole range, such as bytes.
            options: None for the defaults.

        Raises:
            InputError: an array of another shape or type.
        """
        options = options or DustOptions()
        picture = _bytes(rgb)
        found = np.zeros(picture.shape[:2], bool)
        widest = options.widest or widest_for(picture.shape[0], picture.shape[1])
        scale = 1
        while True:
            marks = np.zeros(picture.shape[:2], bool)
            for kind, seen in (("bright", picture), ("dark", 255 - picture)):
                if options.dust in ("both", kind):
                    self._mark(marks, seen, options.sensitivity)
            full = marks.repeat(scale, 0).repeat(scale, 1)
            found[: full.shape[0], : full.shape[1]] |= full
            if WIDEST * scale >= widest or min(picture.shape[:2]) < 2 * _AROUND:
                break
            picture, scale = halved(picture), 2 * scale
        count = _sift(found, options.narrowest, widest)
        return Dust(ndimage.binary_dilation(found, _NEIGHBOURS, GROWN) if count else found, count)

    def _mark(self, marks: Mask, seen: Picture, sensitivity: float) -> None:
        """Marks bright dust of one picture, at its own scale."""
        shift = np.log(sensitivity / (1 - sensitivity))
        judged = [(candidate, odds + shift) for candidate, odds in self.judge(seen)]
        if not any(odds >= SURE for _, odds in judged):
            return
        for candidate, odds in judged:
            if odds >= IN_COMPANY:
                height, width = candidate.part.shape
                marks[candidate.top : candidate.top + height, candidate.left : candidate.left + width] |= candidate.part

    def judge(self, picture: Picture) -> list[tuple[Candidate, float]]:
        """Bright candidates that are worth a look, each with its log odds of being dust; (H, W, 3), 8 bits."""
        judged: list[tuple[Candidate, float]] = []
        height, width = picture.shape[:2]
        for top in range(0, height, _PART):
            for left in range(0, width, _PART):
                above, before = max(top - _AROUND, 0), max(left - _AROUND, 0)
                part = picture[above : top + _PART + _AROUND, before : left + _PART + _AROUND]
                for candidate, odds in self._judge_part(part):
                    row, column = candidate.centre
                    row, column = row + above - top, column + before - left
                    if 0 <= row < _PART and 0 <= column < _PART:
                        moved = Candidate(candidate.top + above, candidate.left + before, candidate.part)
                        judged.append((moved, odds))
        return judged

    def _judge_part(self, picture: Picture) -> list[tuple[Candidate, float]]:
        candidates, figures = find(picture)
        likely = np.flatnonzero(self.network.glance(figures) > self.network.worth)
        if not len(likely):
            return []
        views = Views(picture)
        odds = self.network.look([views.of(candidates[index]) for index in likely], figures[likely])
        return [(candidates[index], float(value)) for index, value in zip(likely, odds, strict=True)]


def _bytes(rgb: NDArray[Any]) -> Picture:
    """A picture with 8 bits."""
    if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype.kind not in "fu":
        raise InputError(
            f"dust is looked for in an array (H, W, 3) of floats in [0, 1] or bytes, got {rgb.dtype} {rgb.shape}"
        )
    if rgb.dtype == np.uint8:
        return rgb
    unit = rgb if rgb.dtype.kind == "f" else rgb / np.iinfo(rgb.dtype).max
    picture: Picture = np.rint(unit.clip(0, 1) * 255).astype(np.uint8)
    return picture


def _sift(found: Mask, narrowest: int, widest: int) -> int:
    """Takes away marks of other widths, measured at their widest place; gives the number of those that stay."""
    labels, count = ndimage.label(found, _NEIGHBOURS)
    for label, box in enumerate(ndimage.find_objects(labels), 1):
        mark = labels[box] == label
        half = np.ceil(ndimage.distance_transform_edt(np.pad(mark, 1)).max())
        if not narrowest <= 2 * half - 1 <= widest:
            found[box][mark] = False
            count -= 1
    return int(count)


def widest_for(height: int, width: int) -> int:
    """Widest marks that are looked for on a picture of this size, unless the caller says so."""
    widest, side = WIDEST, min(height, width)
    while side >= LARGE:
        widest, side = 2 * widest, side // 2
    return widest

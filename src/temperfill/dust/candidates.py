"""Candidates for dust: small parts of a picture that are brighter than all that lies around them.

A white top-hat keeps what is narrower than a square (Serra, 1982). It is cut at rising levels; a connected part counts
at those that are from ``LOW`` to ``HIGH`` of its peak: low for all of a soft speck, high for one that touches others.

Pictures are (H, W, 3), 8 bits. Dark dust is found as bright dust of the negative.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]

SIDES = (5, 9, 17)
"""Sides of the squares, pixels: narrower marks than these stand out."""
LEAST = 30
"""Least peak of a top-hat, of 255 levels."""
LOW, HIGH = 0.5, 0.95
"""Shares of its peak above which pixels belong to a candidate."""
STEP = 1.35
"""Factor from one level to the next, so that each peak has about two."""
LEAST_AREA, MOST_AREA = 4, 2000
"""Pixels of a candidate."""
FEATURES = 25
"""Figures on each candidate."""
_CONNECTED = np.ones((3, 3), np.int8)
_FLOOR = 3.0  # levels: no place is taken for calmer than this


@dataclass(frozen=True)
class Candidate:
    """One connected part.

    Attributes:
        top: row of its box.
        left: column of its box.
        part: (h, w) bool, which pixels of the box belong to it.
    """

    top: int
    left: int
    part: NDArray[np.bool_]

    @property
    def centre(self) -> tuple[int, int]:
        """Row and column of the pixel that is nearest to its centre of mass."""
        rows, columns = np.nonzero(self.part)
        nearest = ((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin()
        return self.top + int(rows[nearest]), self.left + int(columns[nearest])


class _Planes:
    """What is measured once for all candidates of a picture."""

    def __init__(self, picture: Picture) -> None:
        self.grey = picture.min(2).astype(np.float32)  # neutral dust stands out in the weakest channel, too
        self.tops = {side: self.grey - ndimage.grey_opening(self.grey, (side, side)) for side in SIDES}
        self.clutter = np.sqrt(ndimage.uniform_filter(np.minimum(self.tops[9], 80) ** 2, 49))
        near, wide = (_mean_and_deviation(self.grey, side) for side in (17, 33))
        flat = _mean_and_deviation(self.grey, 3)[1]
        slope = np.hypot(ndimage.sobel(self.grey, 0), ndimage.sobel(self.grey, 1)) / 8
        ground = self.grey - self.tops[9]
        chroma = (picture.max(2) - picture.min(2)).astype(np.float32)
        self.averaged = [
            self.grey / 255,
            chroma / 64,
            (self.grey - near[0]) / 64,
            (self.grey - wide[0]) / 64,
            (self.grey - near[0]) / (near[1] + _FLOOR),
            (self.grey - wide[0]) / (wide[1] + _FLOOR),
            near[1] / 32,
            wide[1] / 32,
            slope / 32,
            flat / 32,
            self.clutter / 32,
            (ndimage.maximum_filter(ground, 17) - self.grey) / 64,
        ]


def _mean_and_deviation(grey: Plane, side: int) -> tuple[Plane, Plane]:
    mean = ndimage.uniform_filter(grey, side)
    return mean, np.sqrt(np.maximum(ndimage.uniform_filter(grey * grey, side) - mean * mean, 0))


def find(picture: Picture) -> tuple[list[Candidate], Plane]:
    """Bright candidates of a picture, and figures on each, (N, FEATURES)."""
    planes = _Planes(picture)
    seen: dict[tuple[int, ...], None] = {}
    found: list[Candidate] = []
    figures = [np.zeros((0, FEATURES), np.float32)]
    for side, top in planes.tops.items():
        level = LEAST * LOW * STEP
        while level < 255 * HIGH:
            parts, figured = _at_level(planes, side, top, level)
            fresh = []
            for index, part in enumerate(parts):
                height, width = part.part.shape
                place = (2 * part.left + width) // 3, (2 * part.top + height) // 3
                key = (*place, int(2 * np.log2(part.part.sum())))
                if key not in seen:
                    seen[key] = None
                    found.append(part)
                    fresh.append(index)
            figures.append(figured[fresh])
            level *= STEP
    return found, np.concatenate(figures)


def _at_level(planes: _Planes, side: int, top: Plane, level: float) -> tuple[list[Candidate], Plane]:
    """Parts of a top-hat that belong to one level."""
    labels, count = ndimage.label(top > level, _CONNECTED)
    pixels = np.flatnonzero(labels)
    owner = labels.ravel()[pixels]
    height = top.ravel()[pixels]
    peak = np.zeros(count + 1, np.float32)
    np.maximum.at(peak, owner, height)
    area = np.bincount(owner, minlength=count + 1)
    is_here = (peak >= max(level / HIGH, LEAST)) & (peak < level / LOW) & (area >= LEAST_AREA) & (area <= MOST_AREA)
    kept = np.flatnonzero(is_here)
    if not len(kept):
        return [], np.zeros((0, FEATURES), np.float32)
    mine = is_here[owner]
    pixels, owner, height = pixels[mine], owner[mine], height[mine]

    def mean(values: NDArray[Any]) -> NDArray[Any]:
        return np.bincount(owner, values, minlength=count + 1)[kept] / area[kept]

    boxes = ndimage.find_objects(labels)
    parts = []
    for label in kept:
        box = boxes[label - 1]
        parts.append(Candidate(box[0].start, box[1].start, labels[box] == label))
    means = [mean(plane.ravel()[pixels]) for plane in planes.averaged]
    clutter = means[10] * 32
    high, wide = np.array([part.part.shape for part in parts]).T
    minor, major = _axes(pixels // top.shape[1], pixels % top.shape[1], mean)
    size, tall = area[kept], peak[kept]
    shape = [np.log(size), np.log(high), np.log(wide), size / (high * wide), np.log(minor), np.log(major)]
    contrast = [tall / 64, np.log(tall), mean(height) / tall, np.log(tall / (clutter + _FLOOR))]
    sides = [np.full(len(kept), float(side == other)) for other in SIDES]
    return parts, np.stack([*shape, *contrast, *sides, *means], 1).astype(np.float32)


def _axes(
    rows: NDArray[np.int64], columns: NDArray[np.int64], mean: Callable[[NDArray[Any]], NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[Any]]:
    """Half axes of the ellipses of the same second moments, minor and major."""
    y, x = mean(rows), mean(columns)
    yy, xx, xy = mean(rows * rows) - y * y, mean(columns * columns) - x * x, mean(rows * columns) - x * y
    middle, spread = (yy + xx) / 2, np.sqrt(((yy - xx) / 2) ** 2 + xy**2)
    return np.sqrt(np.maximum(middle - spread, 0) + 0.1), np.sqrt(middle + spread + 0.1)

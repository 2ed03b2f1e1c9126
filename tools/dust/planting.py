"""Dust as scans have it, planted on clean pictures: the definition that training and measuring share.

All dust of a picture is bright (six of ten) or dark, near white (215 to 255) or near black (0 to 45), with a slight
tint. Specks: log-uniform diameters of 3 to 12 pixels, uneven outlines. Lines: hairs and scratches of 20 to 60 pixels,
a fifth of them 60 to 200, 1.2 to 2.8 wide, bent or straight. Edges are soft (Gauss, 0.4 to 0.9 pixels); a mark
covers 65 to 100 % of what lies below. Then the scan is saved as JPEG.

A mark counts where a person could see it: over the mark the mean change is at least ``VISIBLE`` levels of 255, and at
least the deviation of the brightness in the ring of 8 pixels around it, so that it is not below the noise of its place.
"""

import io
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

VISIBLE = 25
"""Levels."""
RING = 8
"""Pixels."""
Picture = NDArray[np.uint8]
Plane = NDArray[np.floating]


@dataclass(frozen=True)
class Mark:
    """One planted mark.

    Attributes:
        change: mean change over it, levels.
        deviation: of the brightness around it, levels.
        area: pixels.
        is_line: a hair or scratch instead of a speck.
    """

    change: float
    deviation: float
    area: int
    is_line: bool

    def is_visible(self, share: float = 1.0) -> bool:
        """Whether a person could see it; training takes four fifths of both limits."""
        return self.change >= share * VISIBLE and self.change >= share * self.deviation


def plant(
    clean: Picture, rng: np.random.Generator, specks: int = 8, lines: int = 1
) -> tuple[Picture, NDArray[np.int32], list[Mark]]:
    """Plants dust: the picture with it, the number of the mark on each pixel (from 1; 0 for none), and the marks."""
    height, width = clean.shape[:2]
    out, labels, are_lines = clean.astype(np.float32), np.zeros((height, width), np.int32), list[bool]()
    base = (rng.uniform(215, 255) if rng.random() < 0.6 else rng.uniform(0, 45)) + rng.normal(0, 5, 3)
    for index in range(specks + lines):
        cover = _speck(rng, np.exp(rng.uniform(np.log(3), np.log(12)))) if index < specks else _line(rng)
        cover = ndimage.gaussian_filter(np.pad(cover, 3), rng.uniform(0.4, 0.9)) * rng.uniform(0.65, 1)
        high, wide = cover.shape
        top, left = rng.integers(-high // 2, height - high // 2), rng.integers(-wide // 2, width - wide // 2)
        first, start, end, stop = max(top, 0), max(left, 0), min(top + high, height), min(left + wide, width)
        cover = cover[first - top : end - top, start - left : stop - left]
        place = np.s_[first:end, start:stop]
        mark = cover > 0.3
        if mark.sum() < 4 or (labels[place][ndimage.binary_dilation(mark, iterations=3)] > 0).any():
            continue
        out[place] = out[place] * (1 - cover[..., None]) + cover[..., None] * base
        are_lines.append(index >= specks)
        labels[place][mark] = len(are_lines)
    dirty = np.clip(np.round(out), 0, 255).astype(np.uint8)
    marks = [_measured(clean, dirty, labels == number, is_line) for number, is_line in enumerate(are_lines, 1)]
    return dirty, labels, marks


def saved(picture: Picture, quality: int = 92) -> Picture:
    """The picture after JPEG."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "jpeg", quality=quality, subsampling=0)
    return np.asarray(Image.open(file))


def _speck(rng: np.random.Generator, diameter: float) -> Plane:
    side = int(diameter * 1.6) + 7
    side += 1 - side % 2
    y, x = np.mgrid[:side, :side] - side // 2
    turn, stretch = rng.uniform(0, np.pi), rng.uniform(1, 1.6) ** 0.5
    along, across = (x * np.cos(turn) + y * np.sin(turn)) * stretch, (y * np.cos(turn) - x * np.sin(turn)) / stretch
    angle = np.arctan2(across, along)
    waves = [rng.uniform(-0.15, 0.15) * np.cos(k * angle + rng.uniform(0, 6.3)) for k in (2, 3, 4)]
    return (diameter / 2 * (1 + np.sum(waves, 0)) - np.hypot(along, across) + 0.5).clip(0, 1)


def _line(rng: np.random.Generator) -> Plane:
    is_long, steps = rng.random() < 0.2, 400
    length = rng.uniform(60, 200) if is_long else rng.uniform(20, 60)
    bends = np.zeros(steps) if is_long or rng.random() < 0.4 else np.cumsum(rng.normal(0, 0.05, steps))
    angle = rng.uniform(0, 6.3) + bends
    x, y = np.cumsum(np.cos(angle)) * length / steps, np.cumsum(np.sin(angle)) * length / steps
    x, y = x - x.min() + 4, y - y.min() + 4
    wide, high = int(x.max()) + 5, int(y.max()) + 5
    away = np.ones((high * 3, wide * 3), bool)
    away[np.round(y * 3).astype(int), np.round(x * 3).astype(int)] = False
    distance = ndimage.distance_transform_edt(away) / 3
    half = rng.uniform(1.2, 2.8) / 2
    return (half - distance + 0.5).clip(0, 1).reshape(high, 3, wide, 3).mean((1, 3))


def _measured(clean: Picture, dirty: Picture, mark: NDArray[np.bool_], is_line: bool) -> Mark:
    rows, columns = np.nonzero(mark)
    change = np.abs(dirty[rows, columns].astype(np.float32) - clean[rows, columns]).mean()
    top, left = max(rows.min() - RING, 0), max(columns.min() - RING, 0)
    around = np.s_[top : rows.max() + RING + 1, left : columns.max() + RING + 1]
    ring = ndimage.binary_dilation(mark[around], iterations=RING) & ~mark[around]
    deviation = clean[around].astype(np.float32).mean(2)[ring].std() if ring.any() else 0.0
    return Mark(float(change), float(deviation), len(rows), is_line)

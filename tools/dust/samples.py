"""Candidates of planted pictures, with what they are: what the networks learn from."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from temperfill.dust.candidates import Candidate, find
from temperfill.dust.network import DustNetwork, Views
from tools.dust.planting import Mark, Picture, plant, saved

RARE = 0.3
"""Share that is kept of the clean candidates that a glance takes for clean already."""
PIECE = 0.75
"""Share of a candidate on one mark from which it is a piece of it, as hairs on texture are found in pieces."""


def view(path: Path, rng: np.random.Generator) -> Picture:
    """A part of a picture, of up to 256x320 pixels, at its size or smaller, one in ten without colour."""
    picture = Image.open(path).convert("RGB")
    side, short = int(rng.choice([256, 256, 300, 384])), min(picture.size)
    if short > side:
        size = (round(picture.width * side / short), round(picture.height * side / short))
        picture = picture.resize(size, Image.Resampling.LANCZOS)
    pixels = np.asarray(picture)
    height, width = min(pixels.shape[0], 256), min(pixels.shape[1], 320)
    top, left = rng.integers(pixels.shape[0] - height + 1), rng.integers(pixels.shape[1] - width + 1)
    pixels = pixels[top : top + height, left : left + width]
    return pixels if rng.random() >= 0.1 else pixels.mean(2, keepdims=True).repeat(3, 2).astype(np.uint8)


def sample(clean: Picture, rng: np.random.Generator, network: DustNetwork | None) -> list[tuple[NDArray, ...]]:
    """Figures, labels (1 dust, 0 clean) and, with a network for the glance, views of the likely candidates."""
    quality = int(rng.integers(80, 96))
    dirty, labels, marks = plant(clean, rng, specks=int(rng.integers(14, 26)), lines=2)
    dirty = saved(dirty, quality) if rng.random() < 0.8 else dirty
    near = ndimage.binary_dilation(labels > 0, iterations=2)
    found = []
    for seen in (dirty, 255 - dirty):
        candidates, figures = find(seen)
        truth = np.array([_truth(candidate, labels, marks, near) for candidate in candidates])
        kept = truth >= 0
        if network is not None and len(candidates):
            odds = network.glance(figures)
            kept &= odds > network.worth
            kept &= (truth != 0) | (odds >= network.worth + 2) | (rng.random(len(truth)) <= RARE)
        views = Views(seen)
        seen_views = [views.of(candidates[index]) for index in np.flatnonzero(kept)] if network is not None else []
        if kept.any():
            found.append((figures[kept], truth[kept].astype(np.int8), np.array(seen_views, np.uint8)))
    return found


def _truth(candidate: Candidate, labels: NDArray[np.int32], marks: list[Mark], near: NDArray[np.bool_]) -> int:
    """1 for two fifths of a visible mark and no more, or for a piece of one, 0 for what has nothing of one, -1 else."""
    height, width = candidate.part.shape
    place = np.s_[candidate.top : candidate.top + height, candidate.left : candidate.left + width]
    numbers = labels[place][candidate.part]
    numbers = numbers[numbers > 0]
    if not len(numbers):
        return -1 if near[place][candidate.part].any() else 0
    number = int(np.bincount(numbers).argmax())
    common, mark = int((numbers == number).sum()), marks[number - 1]
    area = int(candidate.part.sum())
    is_part = common / (mark.area + area - common) >= 0.4 or common / area >= PIECE
    return 1 if is_part and mark.is_visible(0.8) else -1

"""Recall and precision for planted dust, and marks on clean pictures."""

import numpy as np
from scipy import ndimage

from temperfill.dust import DustFinder
from temperfill.options import DustOptions
from tools.dust.planting import Picture, plant, saved

_NEIGHBOURS = np.ones((3, 3), bool)


def measure(
    finder: DustFinder, pictures: list[Picture], options: DustOptions, specks: int = 8, lines: int = 1
) -> dict[str, float]:
    """Plants dust on each picture and counts.

    A visible mark is found where half of its pixels are marked. A found mark is right where a third of its pixels,
    grown as the mask is, lie on planted dust or up to 2 pixels from it.
    """
    found = visible = right = wrong = alone = dirty = 0
    for index, clean in enumerate(pictures):
        alone_here = finder(_rgb(saved(clean)), options).count
        alone, dirty = alone + alone_here, dirty + bool(alone_here)
        scan, labels, marks = plant(clean, np.random.default_rng([0, index]), specks, lines)
        mask = finder(_rgb(saved(scan)), options).mask
        for number, mark in enumerate(marks, 1):
            if mark.is_visible():
                visible += 1
                found += bool(mask[labels == number].mean() >= 0.5)
        parts, count = ndimage.label(mask, _NEIGHBOURS)
        near = ndimage.binary_dilation(labels > 0, _NEIGHBOURS, 2)
        for number in range(1, count + 1):
            is_right = bool(near[parts == number].mean() >= 1 / 3)
            right, wrong = right + is_right, wrong + (not is_right)
    return {
        "pictures": len(pictures),
        "visible marks": visible,
        "recall": found / max(visible, 1),
        "precision": right / max(right + wrong, 1),
        "marks in 20 clean pictures": 20 * alone / len(pictures),
        "clean pictures with marks": dirty,
    }


def _rgb(picture: Picture) -> np.ndarray:
    return picture.astype(np.float32) / 255

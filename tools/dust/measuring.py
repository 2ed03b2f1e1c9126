"""Recall and precision for planted dust, and marks on clean pictures."""

import numpy as np
from scipy import ndimage

from temperfill.dust import DustFinder
from temperfill.options import DustOptions
from tools.dust.planting import Mark, Picture, plant, saved

SMALL = 28
"""Pixels: area of a disc with a diameter of 6."""
CALM = 2
"""A mark lies on calm ground where it changes it by this multiple of the deviation around it, else on texture."""
_NEIGHBOURS = np.ones((3, 3), bool)


def measure(
    finder: DustFinder, pictures: list[Picture], options: DustOptions, specks: int = 8, lines: int = 1
) -> dict[str, float]:
    """Plants dust on each picture and counts.

    A visible mark is found where half of its pixels are marked. A found mark is right where a third of its pixels,
    grown as the mask is, lie on planted dust or up to 2 pixels from it.
    """
    right = wrong = alone = dirty = 0
    seen: list[tuple[Mark, bool]] = []
    for index, clean in enumerate(pictures):
        alone_here = finder(_rgb(saved(clean)), options).count
        alone, dirty = alone + alone_here, dirty + bool(alone_here)
        scan, labels, marks = plant(clean, np.random.default_rng([0, index]), specks, lines)
        mask = finder(_rgb(saved(scan)), options).mask
        seen += [(mark, bool(mask[labels == number].mean() >= 0.5)) for number, mark in enumerate(marks, 1)]
        parts, count = ndimage.label(mask, _NEIGHBOURS)
        near = ndimage.binary_dilation(labels > 0, _NEIGHBOURS, 2)
        for number in range(1, count + 1):
            is_right = bool(near[parts == number].mean() >= 1 / 3)
            right, wrong = right + is_right, wrong + (not is_right)
    return {
        "pictures": len(pictures),
        "precision": right / max(right + wrong, 1),
        "marks in 20 clean pictures": 20 * alone / len(pictures),
        "clean pictures with marks": dirty,
        **recalls(seen),
    }


def recalls(seen: list[tuple[Mark, bool]]) -> dict[str, float]:
    """Share of the visible marks that were found, in all and of each kind, and of all marks with those unseen."""
    visible = [(mark, found) for mark, found in seen if mark.is_visible()]
    kinds = {
        "recall": visible,
        "specks below 6 pixels": [row for row in visible if not row[0].is_line and row[0].area < SMALL],
        "specks of 6 and more": [row for row in visible if not row[0].is_line and row[0].area >= SMALL],
        "lines": [row for row in visible if row[0].is_line],
        "on texture": [row for row in visible if row[0].change < CALM * row[0].deviation],
        "on calm ground": [row for row in visible if row[0].change >= CALM * row[0].deviation],
        "invisible ones as well": seen,
    }
    found = {name: sum(found for _, found in rows) / max(len(rows), 1) for name, rows in kinds.items()}
    return found | {f"{name}, marks": len(rows) for name, rows in kinds.items()}


def _rgb(picture: Picture) -> np.ndarray:
    return picture.astype(np.float32) / 255

"""Where copies are better than the guide: told from both pictures, without knowing the truth."""

import numpy as np

from temperfill.arrays import Array
from temperfill.synthesis.filters import blur, gradients
from temperfill.synthesis.patches import Mask

AROUND = 8.0
"""Deviation, pixels, of the surroundings that are looked at."""
BLURRED = (0.6, 0.9)
"""Share of the copies' gradients up to which a guide counts as blurred, and from which on as sharp."""
PLAIN = 0.01
"""Root mean square difference of neighbours below which a place is plain: a copy is smoother there than any drawing."""
APART = 0.2
"""Difference of colours at which a copy is trusted by a third."""


def share_of_copies(copies: Array, guide: Array, hole: Mask) -> Array:
    """How far each pixel of the hole should be a copy.

    A guide with detail that is as sharp as the copies is right more often than they are; copies whose colours are
    others show other things.

    Args:
        copies: (3, H, W) in [0, 1].
        guide: (3, H, W) in [0, 1].
        hole: (H, W) bool.

    Returns:
        (1, H, W) in [0, 1].
    """
    inside = hole[None].astype(np.float32)
    drawn, copied = (blur(detail_of(*gradients(picture)), inside, AROUND) for picture in (guide, copies))
    sharp = np.sqrt(drawn / np.maximum(copied, 1e-8))
    blurred = np.clip((BLURRED[1] - sharp) / (BLURRED[1] - BLURRED[0]), 0, 1)
    blurred = np.maximum(blurred, np.clip(1 - np.sqrt(drawn) / PLAIN, 0, 1))
    apart = np.square(blur(copies - guide, inside, AROUND)).mean(0, keepdims=True)
    return blurred * np.exp(-apart / APART**2)


def detail_of(right: Array, below: Array) -> Array:
    """(1, H, W), the mean square of differences (3, H, W) to neighbours."""
    total = np.square(right).sum(0, keepdims=True)
    total += np.square(below).sum(0, keepdims=True)
    return total / np.float32(6)

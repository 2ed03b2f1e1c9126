"""Random holes: free-form strokes, squares, and holes of a given ratio; any size, from a passed generator.

Arrays are boolean (H, W); True = missing. Sizes in pixels are those of DeepFillv2 at 256 x 256 and grow with the
picture (``scale``; 1 at 256).
"""

import numpy as np
from numpy.typing import NDArray

from temperfill.config import DataConfig, Strokes

Mask = NDArray[np.bool_]
Point = tuple[float, float]

SQUARE_SIDE = 96
"""Side of the square at 256 x 256 (paper, section IV-A)."""


def default_scale(height: int, width: int) -> float:
    """The shorter side over 256."""
    return min(height, width) / 256


def free_form(
    height: int, width: int, rng: np.random.Generator, scale: float | None = None, strokes: Strokes = "deepfillv2"
) -> Mask:
    """Random zig-zag strokes (DeepFillv2, Yu et al. 2019): 1 to 3 of them with 4 to 11 vertices each.

    They run up and down and go on to the right, as the authors' code draws them; ``turned``, they run left and right
    and go on downwards.

    Args:
        height: of the mask, pixels.
        width: of the mask, pixels.
        rng: source of randomness.
        scale: stroke size relative to 256 x 256; None for the shorter side over 256.
        strokes: their direction.

    Returns:
        (height, width), True = missing.
    """
    scale = default_scale(height, width) if scale is None else scale
    mask = np.zeros((height, width), bool)
    canvas = _canvas(mask, strokes)
    for _ in range(rng.integers(1, 4)):
        for segment in _stroke(canvas, rng, scale):
            _draw(canvas, *segment)
    return mask


def square(height: int, width: int, rng: np.random.Generator, scale: float | None = None) -> Mask:
    """A square of side 96 * scale (at least 1, at most the picture) at a random place inside the picture."""
    scale = default_scale(height, width) if scale is None else scale
    side = max(round(SQUARE_SIDE * scale), 1)
    rows, columns = min(side, height), min(side, width)
    top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
    mask = np.zeros((height, width), bool)
    mask[top : top + rows, left : left + columns] = True
    return mask


def free_form_square(
    height: int, width: int, rng: np.random.Generator, scale: float | None = None, strokes: Strokes = "deepfillv2"
) -> Mask:
    """The paper's training mask: union of ``free_form`` and ``square``."""
    return free_form(height, width, rng, scale, strokes) | square(height, width, rng, scale)


def thick(height: int, width: int, rng: np.random.Generator, scale: float | None = None) -> Mask:
    """One or two round holes with uneven outlines, as removed objects leave them: 64 to 128 pixels across at 256 x 256.

    Args:
        height: of the mask, pixels.
        width: of the mask, pixels.
        rng: source of randomness.
        scale: size relative to 256 x 256; None for the shorter side over 256.

    Returns:
        (height, width), True = missing; at least one pixel is known.
    """
    scale = default_scale(height, width) if scale is None else scale
    mask = np.zeros((height, width), bool)
    y, x = np.arange(height)[:, None] + 0.5, np.arange(width)[None, :] + 0.5
    for _ in range(rng.integers(1, 3)):
        dy, dx = y - rng.uniform(0, height), x - rng.uniform(0, width)
        angle, orders = np.arctan2(dy, dx), np.arange(2, 6)
        waves = np.cos(angle[..., None] * orders + rng.uniform(0, 2 * np.pi, 4)) @ rng.uniform(0, 0.12, 4)
        mask |= np.hypot(dy, dx) <= rng.uniform(32, 64) * scale * (1 + waves)
    return _with_known(mask, rng)


def border(height: int, width: int, rng: np.random.Generator) -> Mask:
    """Strips along one to three sides of the picture, each 1/16 to 3/8 of it wide, as where a canvas is extended.

    Args:
        height: of the mask, pixels.
        width: of the mask, pixels.
        rng: source of randomness.

    Returns:
        (height, width), True = missing; at least one pixel is known.
    """
    mask = np.zeros((height, width), bool)
    for side in rng.permutation(4)[: rng.integers(1, 4)]:
        along_rows = mask if side % 2 == 0 else mask.T
        strip = round(rng.uniform(1 / 16, 3 / 8) * len(along_rows))
        rows = slice(0, strip) if side < 2 else slice(len(along_rows) - strip, len(along_rows))
        along_rows[rows] = True
    return _with_known(mask, rng)


def for_training(config: DataConfig, side: int, rng: np.random.Generator) -> Mask:
    """(side, side), True = missing: a hole of one of the kinds that a run is trained with."""
    scale = config.mask_scale or side / 256
    # Runs of one kind only draw nothing more than they did when there was one kind.
    kind = rng.random() if config.thick_share + config.border_share else 1.0
    if kind < config.thick_share:
        return thick(side, side, rng, scale)
    if kind < config.thick_share + config.border_share:
        return border(side, side, rng)
    return free_form_square(side, side, rng, scale, config.mask_strokes)


def by_ratio(height: int, width: int, low: float, high: float, rng: np.random.Generator) -> Mask:
    """Strokes that cover a share of the picture in (low, high].

    Segments are drawn until a share drawn uniformly from the bin is reached; a mask that overshoots the bin is thrown
    away, and the next try uses thinner strokes.

    Args:
        height: of the mask, pixels.
        width: of the mask, pixels.
        low: the share is above it.
        high: the share is at most this.
        rng: source of randomness.

    Raises:
        ValueError: the bounds are no bin of [0, 1], or no number of pixels of this size lies in the bin.
    """
    if not 0 <= low < high <= 1:
        raise ValueError(f"a ratio bin needs 0 <= low < high <= 1, got ({low}, {high}]")
    pixels = height * width
    # Asked of the shares themselves, as they are compared below: rounded products could let an empty bin through.
    first = int(low * pixels)
    if not any(low < count / pixels <= high for count in range(first, first + 3)):
        raise ValueError(f"no hole of a {height}x{width} picture has a ratio in ({low}, {high}]")
    scale = default_scale(height, width)
    while True:
        wanted = high - (high - low) * rng.random()  # in (low, high]
        mask = np.zeros((height, width), bool)
        canvas = _canvas(mask, "deepfillv2")
        share = 0.0
        while share < wanted:
            for segment in _stroke(canvas, rng, scale):
                _draw(canvas, *segment)
                share = mask.mean()
                if share >= wanted:
                    break
        if low < share <= high:
            return mask
        scale *= 0.9


def _with_known(mask: Mask, rng: np.random.Generator) -> Mask:
    """The mask, with a hole and a known pixel at least where it has two pixels or more."""
    if mask.size > 1 and (mask.all() or not mask.any()):
        place = tuple(rng.integers(0, mask.shape))
        mask[place] = not mask[place]
    return mask | (mask.size == 1)


def _canvas(mask: Mask, strokes: Strokes) -> Mask:
    """The view of a mask on whose first axis strokes go on: its columns in DeepFillv2, its rows when turned."""
    return mask if strokes == "turned" else mask.T


def _stroke(canvas: Mask, rng: np.random.Generator, scale: float) -> list[tuple[Point, Point, float]]:
    """Segments (start, end, thickness) of one stroke, in pixels; angles to the first axis as in DeepFillv2's code."""
    height, width = canvas.shape
    mean, spread = 2 * np.pi / 5, 2 * np.pi / 15
    lowest, highest = mean - rng.uniform(0, spread), mean + rng.uniform(0, spread)
    thickness = max(rng.uniform(12, 40) * scale, 1.0)
    typical = np.hypot(256, 256) / 8 * scale
    point = (rng.uniform(0, height), rng.uniform(0, width))
    segments = []
    for i in range(rng.integers(4, 12)):
        angle = rng.uniform(lowest, highest)
        angle = 2 * np.pi - angle if i % 2 == 0 else angle
        length = np.clip(rng.normal(typical, typical / 2), 0, 2 * typical)
        end = (
            float(np.clip(point[0] + length * np.cos(angle), 0, height)),
            float(np.clip(point[1] + length * np.sin(angle), 0, width)),
        )
        segments.append((point, end, thickness))
        point = end
    return segments


def _draw(mask: Mask, start: Point, end: Point, thickness: float) -> None:
    """Marks all pixels whose centre is within half the thickness of the segment (round ends)."""
    radius = thickness / 2
    top, left = (max(int(min(a, b) - radius), 0) for a, b in zip(start, end, strict=True))
    bottom, right = (int(max(a, b) + radius) + 1 for a, b in zip(start, end, strict=True))
    window = mask[top:bottom, left:right]
    y = np.arange(top, top + window.shape[0])[:, None] + 0.5 - start[0]
    x = np.arange(left, left + window.shape[1])[None, :] + 0.5 - start[1]
    dy, dx = end[0] - start[0], end[1] - start[1]
    along = np.clip((y * dy + x * dx) / max(dy * dy + dx * dx, 1e-12), 0, 1)
    window |= (y - along * dy) ** 2 + (x - along * dx) ** 2 <= radius**2

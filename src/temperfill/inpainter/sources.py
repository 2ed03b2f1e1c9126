"""Where a filled place was copied from, as the attention of the method tells it."""

from dataclasses import dataclass

import torch

from temperfill.inpainter.filling import pad
from temperfill.inpainter.plan import CELL, ScaledWindow
from temperfill.inpainter.planes import Planes
from temperfill.methods.contract import FindSources
from temperfill.tensors import Box, SizeRule


@dataclass(frozen=True)
class Match:
    """A patch that was copied from.

    Attributes:
        box: top, left, bottom, right in pixels of the picture.
        weight: its share of what was copied, in [0, 1].
    """

    box: Box
    weight: float


@dataclass(frozen=True)
class Head:
    """What one head of the attention copied to a place.

    Attributes:
        temperature: that it used.
        matches: largest weight first.
    """

    temperature: float
    matches: list[Match]


def heads_at(
    find: FindSources,
    rule: SizeRule,
    small: Planes,
    window: ScaledWindow,
    point: tuple[int, int],
    shape: tuple[int, ...],
    temperature: float,
    top: int,
) -> list[Head]:
    """What every head copies to a pixel of a window's hole.

    Holes of other windows count as missing. A thick hole is looked at in the small picture, before any refinement.

    Args:
        find: tells where the attention of the method copies from.
        rule: sizes that the method takes.
        small: planes of the window as the method sees them first, ``window.factor`` times shrunk.
        window: that holds the pixel.
        point: row and column in the picture.
        shape: of the picture.
        temperature: factor on the learned temperatures.
        top: patches for each head.
    """
    image, mask = pad(small.image, rule), pad(small.mask, rule)
    sketch = None if small.sketch is None else pad(small.sketch, rule)
    columns, cell = image.shape[3] // CELL, CELL * window.factor
    asked = (point[0] - window.box[0]) // cell * columns + (point[1] - window.box[1]) // cell
    cells = torch.tensor([asked], device=small.image.device)
    found = find(image, mask, sketch, temperature=temperature, cells=cells, top=top)
    before, side = (found.patch_size - 1) // 2, found.patch_size * cell
    heads = []
    for heat, weights, sources in zip(found.temperatures, found.weights[:, 0], found.sources[:, 0], strict=True):
        corners = [((int(s) // columns - before) * cell, (int(s) % columns - before) * cell) for s in sources]
        boxes = [_clip((y, x, y + side, x + side), window.box, shape) for y, x in corners]
        heads.append(Head(float(heat), [Match(box, float(w)) for box, w in zip(boxes, weights, strict=True)]))
    return heads


def _clip(box: Box, window: Box, shape: tuple[int, ...]) -> Box:
    """A box of a window in the picture's coordinates and limits."""
    top, left = window[:2]
    return (
        min(max(box[0] + top, 0), shape[0] - 1),
        min(max(box[1] + left, 0), shape[1] - 1),
        min(box[2] + top, shape[0]),
        min(box[3] + left, shape[1]),
    )

"""What a method sees of a picture: planes of a window, at its own size or shrunk, and how a result gets back to it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from temperfill.arrays import bicubic, composite, maximum, mean, pad
from temperfill.geometry import Box
from temperfill.inpainter.plan import CELL
from temperfill.inpainter.surroundings import Array, Hole, continue_colours
from temperfill.regions import Window
from temperfill.thinning import thin


@dataclass(frozen=True)
class Planes:
    """A window as a method takes it; all planes have one size.

    Attributes:
        image: (1, 3, h, w) in [0, 1].
        mask: (1, 1, h, w), 1 = missing.
        sketch: (1, 1, h, w), 1 = line, or None.
        avoid: (1, 1, h, w), 1 = known, but nothing is copied from here; None for nowhere.
    """

    image: Array
    mask: Array
    sketch: Array | None = None
    avoid: Array | None = None

    def cut(self, box: Box) -> "Planes":
        """Views of a part of the window."""
        top, left, bottom, right = box
        image, mask = (plane[:, :, top:bottom, left:right] for plane in (self.image, self.mask))
        sketch, avoid = (
            None if plane is None else plane[:, :, top:bottom, left:right] for plane in (self.sketch, self.avoid)
        )
        return Planes(image, mask, sketch, avoid)

    def shrunk(self, factor: int) -> "Planes":
        """The size that a method sees: lines are one pixel wide there, whatever the brush that drew them."""
        image, mask, sketch, avoid = self.image, self.mask, self.sketch, self.avoid
        if factor > 1:
            image, mask = shrink_image(image, factor), _shrink_mask(mask, factor)
            sketch, avoid = (None if plane is None else _shrink_mask(plane, factor) for plane in (sketch, avoid))
        return Planes(image, mask, None if sketch is None else _thin(sketch), avoid)

    def plain(self, factor: int) -> Array:
        """What a method is not asked for, as all that it would see is missing: the colours around, shrunk."""
        hole = pad_cells(self.mask, factor) > 0.5
        share = mean((~hole).astype(np.float32), factor)
        known = np.where(hole, np.float32(0), pad_cells(self.image, factor))
        colours = np.array((mean(known, factor) / share.clip(1e-6))[0].transpose(1, 2, 0), order="C")
        missing = share[0, 0] == 0
        continue_colours(colours, missing, missing)
        return np.ascontiguousarray(colours.transpose(2, 0, 1)[None].clip(0, 1))

    def paste(self, filled: Array) -> Array:
        """The window with its hole taken from a picture of its size, or a little more where cells were completed."""
        height, width = self.image.shape[2:]
        return composite(filled[:, :, :height, :width].clip(0, 1), self.image, self.mask)


class HoledPicture(NamedTuple):
    """A picture to fill.

    Attributes:
        rgb: (H, W, 3) in [0, 1].
        hole: (H, W), True = missing.
        sketch: (H, W), True = line, or None; lines may be of any width.
        avoid: (H, W), True = known, but nothing is copied from here; None for nowhere.
    """

    rgb: Array
    hole: Hole
    sketch: Hole | None = None
    avoid: Hole | None = None

    def planes(self, box: Box) -> Planes:
        """A window of the picture."""
        inside = np.s_[box[0] : box[2], box[1] : box[3]]

        def plane(values: NDArray[np.generic]) -> Array:
            # A copy, which the picture does not share.
            return np.array(values[None], np.float32, order="C")

        sketch = None if self.sketch is None else plane(self.sketch[inside][None])
        avoid = self.avoided(box)
        image, mask = plane(self.rgb[inside].transpose(2, 0, 1)), plane(self.hole[inside][None])
        return Planes(image, mask, sketch, None if avoid is None else plane(avoid[None]))

    def avoided(self, box: Box) -> Hole | None:
        """What is to be avoided in a window; None where that is nothing."""
        if self.avoid is None:
            return None
        inside = self.avoid[box[0] : box[2], box[1] : box[3]]
        return inside if inside.any() else None

    def paste(self, window: Window, filled: Array) -> None:
        """Takes the hole of a window from a picture of its size; what is pasted is known from then on."""
        inside = np.s_[window.box[0] : window.box[2], window.box[1] : window.box[3]]
        self.rgb[inside][window.hole] = filled[window.hole]
        self.hole[inside][window.hole] = False


def enlarge(filled: Array, factor: int) -> Array:
    """A picture at ``factor`` times its size."""
    return bicubic(filled, factor)


def shrink_image(image: Array, factor: int) -> Array:
    """An image by its mean; its sides are completed to whole cells of the shrunk one."""
    return mean(pad_cells(image, factor), factor)


def pad_cells(plane: Array, factor: int) -> Array:
    """Repeats the edges up to whole cells of the shrunk plane."""
    height, width = plane.shape[2:]
    multiple = CELL * factor
    return pad(plane, -height % multiple, -width % multiple)


def _shrink_mask(mask: Array, factor: int) -> Array:
    """A mask by its maximum, so that known pixels hold nothing of the hole."""
    return maximum(pad_cells(mask, factor), factor)


def _thin(lines: Array) -> Array:
    return np.stack([thin(plane) for plane in lines[:, 0] > 0.5])[:, None].astype(np.float32)

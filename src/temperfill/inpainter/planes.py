"""What a method sees of a picture: planes of a window, at its own size or shrunk, and how a result gets back to it."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from temperfill.geometry import Box
from temperfill.inpainter.plan import CELL
from temperfill.inpainter.surroundings import Array, Hole, continue_colours
from temperfill.regions import Window
from temperfill.tensors import composite
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

    image: Tensor
    mask: Tensor
    sketch: Tensor | None = None
    avoid: Tensor | None = None

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

    def plain(self, factor: int) -> Tensor:
        """What a method is not asked for, as all that it would see is missing: the colours around, shrunk."""
        hole = pad_cells(self.mask, factor) > 0.5
        share = F.avg_pool2d((~hole).to(self.image), factor)
        mean = F.avg_pool2d(pad_cells(self.image, factor).masked_fill(hole, 0), factor) / share.clamp(min=1e-6)
        missing = (share == 0)[0, 0].cpu().numpy()
        colours = mean[0].float().permute(1, 2, 0).cpu().numpy().copy()
        continue_colours(colours, missing, missing)
        return torch.from_numpy(colours).permute(2, 0, 1)[None].to(self.image).clamp(0, 1)

    def paste(self, filled: Tensor) -> Tensor:
        """The window with its hole taken from a picture of its size, or a little more where cells were completed."""
        height, width = self.image.shape[2:]
        return composite(filled[:, :, :height, :width].clamp(0, 1), self.image, self.mask)


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

    def planes(self, box: Box, device: torch.device) -> Planes:
        """A window of the picture."""
        inside = np.s_[box[0] : box[2], box[1] : box[3]]

        def plane(values: NDArray[np.generic]) -> Tensor:
            # A copy in the order of tensors, which the picture does not share.
            return torch.from_numpy(np.array(values[None], np.float32, order="C")).to(device)

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


def enlarge(filled: Tensor, factor: int) -> Tensor:
    """A picture at ``factor`` times its size."""
    return F.interpolate(filled.float(), scale_factor=float(factor), mode="bicubic", align_corners=False)


def shrink_image(image: Tensor, factor: int) -> Tensor:
    """An image by its mean; its sides are completed to whole cells of the shrunk one."""
    return F.avg_pool2d(pad_cells(image, factor), factor)


def pad_cells(plane: Tensor, factor: int) -> Tensor:
    """Repeats the edges up to whole cells of the shrunk plane."""
    height, width = plane.shape[2:]
    multiple = CELL * factor
    return F.pad(plane, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def _shrink_mask(mask: Tensor, factor: int) -> Tensor:
    """A mask by its maximum, so that known pixels hold nothing of the hole."""
    return F.max_pool2d(pad_cells(mask, factor), factor)


def _thin(lines: Tensor) -> Tensor:
    thinned = np.stack([thin(plane) for plane in lines[:, 0].cpu().numpy() > 0.5])
    return torch.from_numpy(thinned)[:, None].to(lines)

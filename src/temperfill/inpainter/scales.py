"""Planes of a window at the sizes at which a method sees them: (B, C, h, w), image, mask and sketch."""

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill.inpainter.plan import CELL
from temperfill.tensors import composite


def small_planes(planes: list[Tensor], factor: int) -> list[Tensor]:
    """Planes at the size that the method sees: lines are one pixel wide there, whatever the brush that drew them."""
    if factor > 1:
        planes = [shrink(plane, factor, flat=number > 0) for number, plane in enumerate(planes)]
    return [*planes[:2], *map(_thin, planes[2:])]


def bicubic(filled: Tensor, factor: int) -> Tensor:
    """A picture at ``factor`` times its size."""
    return F.interpolate(filled.float(), scale_factor=float(factor), mode="bicubic", align_corners=False)


def enlarge(filled: Tensor, planes: list[Tensor], factor: int, detail: Tensor | float = 0) -> Tensor:
    """A filled small picture at full size, with all that is known there, and detail added in the hole."""
    height, width = planes[0].shape[2:]
    enlarged = (bicubic(filled, factor) + detail)[:, :, :height, :width]
    return composite(enlarged.clamp(0, 1), *planes[:2])


def _thin(lines: Tensor) -> Tensor:
    from skimage.morphology import skeletonize

    thinned = np.stack([skeletonize(plane) for plane in lines[:, 0].cpu().numpy() > 0.5])
    return torch.from_numpy(thinned)[:, None].to(lines)


def pad_cells(plane: Tensor, factor: int) -> Tensor:
    """Repeats the edges up to whole cells of the shrunk plane."""
    height, width = plane.shape[2:]
    multiple = CELL * factor
    return F.pad(plane, (0, -width % multiple, 0, -height % multiple), mode="replicate")


def shrink(plane: Tensor, factor: int, flat: bool) -> Tensor:
    """An image by its mean; a mask or sketch (flat) by its maximum, so that known pixels hold nothing of the hole."""
    padded = pad_cells(plane, factor)
    return F.max_pool2d(padded, factor) if flat else F.avg_pool2d(padded, factor)

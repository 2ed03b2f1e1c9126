"""Patches of a picture, and their few most telling dimensions."""

import torch
import torch.nn.functional as F
from torch import Tensor


def whole_patches(usable: Tensor, side: int) -> Tensor:
    """(H, W) bool: centres of patches, ``side`` pixels long, that lie in the picture and are usable all over."""
    radius = side // 2
    lacking = F.pad((~usable)[None, None].float(), (radius,) * 4, value=1.0)
    return F.max_pool2d(lacking, side, 1)[0, 0] == 0


def patch_basis(image: Tensor, centres: Tensor, side: int, dimensions: int, generator: torch.Generator) -> Tensor:
    """The axes along which patches of a picture differ most.

    Args:
        image: (1, 3, H, W).
        centres: (N,) of whole patches, numbered row by row.
        side: of a patch, pixels, odd.
        dimensions: of the projection, D.
        generator: draws the patches that are looked at.

    Returns:
        (D, 3, side, side); distances between projections are root mean squares over the pixels of a patch.
    """
    width, radius = image.shape[3], side // 2
    some = centres[torch.randperm(len(centres), generator=generator)[:3000]]
    steps = torch.arange(side) - radius
    steps = (steps[:, None] * width + steps).flatten()
    rows = image[0].flatten(1)[:, some[:, None] + steps]  # (3, n, p * p)
    rows = rows.transpose(0, 1).flatten(1).double()
    rows = rows - rows.mean(0)
    _, axes = torch.linalg.eigh(rows.T @ rows)
    kernel = axes[:, -dimensions:].T.reshape(dimensions, 3, side, side) / side
    return kernel.to(image.dtype).contiguous()


def describe(image: Tensor, basis: Tensor) -> Tensor:
    """(H * W, D): the patch around every pixel; the picture's edges are repeated."""
    radius = basis.shape[-1] // 2
    found = F.conv2d(F.pad(image, (radius,) * 4, mode="replicate"), basis)
    return found[0].flatten(1).T.contiguous()

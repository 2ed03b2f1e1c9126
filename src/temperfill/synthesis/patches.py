"""Patches of a picture, and their few most telling dimensions."""

import torch
import torch.nn.functional as F
from torch import Tensor

BAND = 100_000
"""Patches that are described at once."""


def around(hole: Tensor, margin: int) -> tuple[slice, slice]:
    """The part of a picture around its hole."""
    rows, columns = hole.any(1).nonzero()[:, 0], hole.any(0).nonzero()[:, 0]
    return (
        slice(max(int(rows[0]) - margin, 0), int(rows[-1]) + margin + 1),
        slice(max(int(columns[0]) - margin, 0), int(columns[-1]) + margin + 1),
    )


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
    """(H * W, D): the patch around every pixel; the picture's edges are repeated. In bands of rows, to save memory."""
    radius, (height, width) = basis.shape[-1] // 2, image.shape[2:]
    padded = F.pad(image, (radius,) * 4, mode="replicate")
    found = image.new_empty(height * width, len(basis))
    rows = max(BAND // width, 1)
    for top in range(0, height, rows):
        band = F.conv2d(padded[:, :, top : top + rows + 2 * radius], basis)[0].flatten(1).T
        found[top * width : top * width + len(band)] = band
    return found

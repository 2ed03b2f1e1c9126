"""Tensors as pictures: those of a caller as arrays, and what was filled as tensors like those that came."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from temperfill.errors import InputError
from temperfill.images import Picture, to_rgb

Array = NDArray[Any]


def array_of(image: Tensor) -> Array:
    """A picture as an array (H, W, C) in its own type.

    Args:
        image: (C, H, W) on any device, C of 1, 3 or 4; floating point in [0, 1], or bytes.

    Raises:
        InputError: another shape or range; says what to do.
    """
    shape = tuple(image.shape)
    if image.ndim != 3 or shape[0] not in (1, 3, 4) or 0 in shape:
        advice = "; permute(2, 0, 1) puts channels first" if image.ndim == 3 and shape[2] in (1, 3, 4) else ""
        raise InputError(f"an image tensor must be (C, H, W) with C of 1, 3 or 4, or a batch, got {shape}{advice}")
    pixels = _on_cpu(image)
    if image.is_floating_point():
        low, high = pixels.aminmax()
        if not (low >= 0 and high <= 1):  # as NaN is not
            raise InputError(
                f"an image tensor must lie in [0, 1], got values from {low.item():g} to {high.item():g}; "
                "divide bytes by 255, and take (x + 1) / 2 of values from -1 to 1"
            )
    return pixels.permute(1, 2, 0).numpy()


def planes_in(plane: Tensor, number: int, name: str) -> list[Array]:
    """A mask or sketch for each of some pictures, each (H, W) in its own type.

    Args:
        plane: (H, W), (1, H, W), (B, H, W) or (B, 1, H, W) on any device; bool, numbers of 0 and 1, or brightness as of
            arrays. One plane is that of all pictures.
        number: B.
        name: of the plane in errors.

    Raises:
        InputError: another shape.
    """
    shape = tuple(plane.shape)
    flat = plane[:, 0] if plane.ndim == 4 and shape[1] == 1 else plane
    flat = flat[None] if flat.ndim == 2 else flat
    if flat.ndim != 3 or len(flat) not in (1, number) or 0 in shape:
        several = "" if number == 1 else f", ({number}, H, W) or ({number}, 1, H, W)"
        raise InputError(f"the {name} must be a tensor of shape (H, W), (1, H, W){several}, got {shape}")
    found = _on_cpu(flat)
    if found.dtype in (torch.int16, torch.int32, torch.int64):  # labels, as torch has them
        if found.min() < 0 or found.max() > 1:
            raise InputError(f"the {name} must hold 0 and 1 as {found.dtype}; give {name} > threshold")
        found = found.bool()
    planes = list(found.numpy())
    return planes * number if len(planes) == 1 else planes


def tensor_of(picture: Picture, like: Tensor | None) -> Tensor:
    """A filled picture as a tensor (C, H, W).

    Args:
        picture: what was filled.
        like: what came: channels, type and device are its. None gives RGB in [0, 1] on the CPU.
    """
    if like is None:
        return torch.from_numpy(to_rgb(picture).transpose(2, 0, 1).copy())
    pixels = picture.pixels.reshape(*picture.size, -1).transpose(2, 0, 1)
    return torch.from_numpy(np.array(pixels, order="C")).to(like.device, like.dtype)


def _on_cpu(values: Tensor) -> Tensor:
    values = values.detach().cpu()
    return values.float() if values.dtype == torch.bfloat16 else values  # numpy has no such type

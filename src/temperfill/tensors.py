"""Tensor conventions of the whole package, and the one place where a result is pasted into its picture.

=========================  ===============  ==============================================================
name                       shape            values
=========================  ===============  ==============================================================
``image``, ``target``      (B, 3, H, W)     float RGB in [0, 1]
``mask``                   (B, 1, H, W)     0 or 1; 1 = missing
``sketch``                 (B, 1, H, W)     0 or 1; 1 = line; ignored outside the hole
``coarse``, ``refined``    (B, 3, H, W)     [0, 1], not pasted
``composite``              (B, 3, H, W)     refined in the hole, the image bit for bit outside
``features``               (B, C, h, w)     any; lower case means feature size
``queries``, ``keys``,     (B, heads, N, d) any
``values``
``temperatures``           (B, heads)       positive
=========================  ===============  ==============================================================
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode


def as_plane(plane: Tensor, dtype: torch.dtype, name: str = "mask") -> Tensor:
    """A mask or sketch as (B, 1, H, W), floating point; what is so already comes back as it is.

    Args:
        plane: (B, 1, H, W) or (B, H, W); of bool and whole numbers, all above 0 is 1.
        dtype: that a plane gets which is not floating point.
        name: of the plane in errors.

    Raises:
        ValueError: another shape.
    """
    shape = tuple(plane.shape)
    if plane.ndim == 3:
        plane = plane[:, None]
    if plane.ndim != 4 or plane.shape[1] != 1:
        raise ValueError(f"{name} must have shape (B, 1, H, W) or (B, H, W), got {shape}; add the axes that it lacks")
    return plane if plane.is_floating_point() else (plane > 0).to(dtype)


def is_plain_inference() -> bool:
    """Whether no gradient is wanted and nothing is traced: tensors may be overwritten, shapes may depend on values.

    The recording of a CUDA graph counts as plain; it must leave out what looks at values.
    """
    return not torch.is_grad_enabled() and not torch.compiler.is_compiling()


def composite(refined: Tensor, image: Tensor, mask: Tensor) -> Tensor:
    """Pastes ``refined`` into the hole of ``image``; known pixels keep their bits.

    Args:
        refined: (B, 3, H, W), any floating type.
        image: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 = missing.

    Returns:
        (B, 3, H, W) in the dtype of ``image``.
    """
    return torch.where(mask > 0.5, refined.to(image.dtype), image)


class Watched(TorchFunctionMode):
    """While it is entered, ``on_step`` is called before every operation of torch of this thread.

    What ``on_step`` raises ends the work, so long work can be ended without a word of it in what works.
    """

    def __init__(self, on_step: Callable[[], None]) -> None:
        super().__init__()
        self._on_step = on_step

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Called by torch for every operation."""
        self._on_step()
        return func(*args, **(kwargs or {}))

"""``fill``, the one guarded call of every method, and loading methods."""

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from temperfill.arrays import Array, check_image_mask, composite
from temperfill.arrays import pad as pad_edges
from temperfill.errors import InputError
from temperfill.extras import is_tensor
from temperfill.geometry import SizeRule
from temperfill.inpainter.devices import choose_device
from temperfill.methods import load
from temperfill.methods.contract import Abilities, ArrayMethod, Method, plain

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from temperfill.methods.contract import Plain


def load_method(name_or_path: str | Path, device: "str | torch.device" = "auto") -> Method | ArrayMethod:
    """Loads a method by name or path; raises as :func:`temperfill.methods.load` and :func:`choose_device`."""
    return load(name_or_path, choose_device(device))


def on_arrays(method: "Method | ArrayMethod | Plain", device: "str | torch.device") -> ArrayMethod:
    """A method as one on arrays.

    Args:
        method: of any kind.
        device: of the tensors that a method on tensors gets.
    """
    found = plain(method)
    if isinstance(found, ArrayMethod):
        return found
    from temperfill.methods.on_tensors import OnTensors

    return OnTensors(found, device)


@overload
def fill(
    method: "Method | ArrayMethod | Plain",
    image: Array,
    mask: Array,
    sketch: Array | None = None,
    temperature: float = 1.0,
    start: Array | None = None,
    avoid: Array | None = None,
) -> Array: ...
@overload
def fill(
    method: "Method | ArrayMethod | Plain",
    image: "Tensor",
    mask: "Tensor",
    sketch: "Tensor | None" = None,
    temperature: float = 1.0,
    start: "Tensor | None" = None,
    avoid: "Tensor | None" = None,
) -> "Tensor": ...
def fill(
    method: "Method | ArrayMethod | Plain",
    image: Any,
    mask: Any,
    sketch: Any = None,
    temperature: float = 1.0,
    start: Any = None,
    avoid: Any = None,
) -> Any:
    """Calls a method on what it accepts, and returns known pixels bit for bit.

    Args:
        method: sees the picture with a grey hole, padded by edge replication to its size rule.
        image: (B, 3, H, W) in [0, 1]; all planes are arrays, or all are tensors on the method's device.
        mask: (B, 1, H, W), 1 = missing.
        sketch: (B, 1, H, W), 1 = line, for methods that take one.
        temperature: factor on learned temperatures, for methods that have them.
        start: (B, 3, H, W) in [0, 1], the picture from which a method that can is to begin.
        avoid: (B, 1, H, W), 1 = known, but a method that can copies nothing from here.

    Returns:
        The composite, (B, 3, H, W) in [0, 1]: an array, or a tensor of the image's type and on its device.

    Raises:
        InputError: a sketch, a temperature, a start picture or something to avoid for a method that takes none, or so
            much to avoid that nothing is left to copy from.
        ValueError: arguments as ``check_image_mask`` says, or a result that is not finite or has another shape.
    """
    if not is_tensor(image):
        return fill_arrays(on_arrays(method, "cpu"), image, mask, sketch, temperature, start, avoid)
    from temperfill.methods.on_tensors import array, like

    planes = (None if plane is None else array(plane) for plane in (image, mask, sketch, start, avoid))
    given, hole, lines, begun, shunned = planes
    filled = fill_arrays(on_arrays(method, image.device), given, hole, lines, temperature, begun, shunned)
    return like(filled, image)


def fill_arrays(
    method: ArrayMethod,
    image: Any,
    mask: Any,
    sketch: Array | None = None,
    temperature: float = 1.0,
    start: Array | None = None,
    avoid: Array | None = None,
) -> Array:
    """``fill`` for those who have arrays, and a method that takes them."""
    check_image_mask(image, mask, sketch)
    check_takes(method, sketch is not None, temperature, avoid is not None)
    rule = method.size_rule
    height, width = image.shape[2:]
    hidden, hole = pad(np.where(mask > 0.5, image.dtype.type(0.5), image), rule), pad(mask, rule)
    lines = None if sketch is None else pad(sketch * mask, rule)
    if start is not None:
        if not method.abilities.start:
            raise InputError(f"method {method.name} cannot start from a given picture; omit start")
        if start.shape != image.shape:
            raise ValueError(f"start must have the image's shape {image.shape}, got {start.shape}")
        start = pad(start, rule)
    if avoid is not None:
        avoid = pad(avoid, rule)
        if not can_copy(method, hole, avoid):
            remedy = "avoid less, or let all of the picture be seen (context full)"
            raise InputError(f"avoid leaves nothing to copy from around the hole; {remedy}")
    result = method(hidden, hole, lines, temperature=temperature, start=start, avoid=avoid)
    if result.shape != hidden.shape:
        raise ValueError(f"method {method.name} gave shape {result.shape} for {hidden.shape}")
    result = result[:, :, :height, :width]
    if not np.isfinite(result).all():
        raise ValueError(f"method {method.name} gave values that are not finite; its weights may be damaged")
    return composite(result.clip(0, 1), image, mask)


def can_copy(method: ArrayMethod, mask: Array, avoid: Array | None) -> bool:
    """Whether anything is left that a method may copy from; planes (B, 1, H, W) of a size that it takes."""
    left = method.abilities.avoid
    return avoid is None or left is None or left(mask, avoid)


def check_takes(method: Method | ArrayMethod, with_sketch: bool, temperature: float, with_avoid: bool = False) -> None:
    """Raises InputError for a sketch, a temperature or something to avoid that a method has no use for."""
    abilities: Abilities[Any] = method.abilities
    if with_avoid and abilities.avoid is None:
        raise InputError(f"method {method.name} cannot avoid a part of the picture; leave it out, or use model base")
    if with_sketch and not abilities.sketch:
        raise InputError(f"method {method.name} takes no sketch; leave it out, or use a model trained with sketches")
    if temperature != 1 and not abilities.temperature:
        raise InputError(f"method {method.name} has no temperatures; leave the temperature at 1")


def pad(plane: Array, rule: SizeRule) -> Array:
    """Repeats the last row and column of a plane (B, C, H, W) until its size is one that a method takes."""
    height, width = plane.shape[2:]
    return pad_edges(plane, _padding(height, rule), _padding(width, rule))


def _padding(size: int, rule: SizeRule) -> int:
    """Pixels to add to a side."""
    return max(math.ceil(size / rule.multiple), math.ceil(rule.minimum / rule.multiple)) * rule.multiple - size

"""``fill``, the one guarded call of every method; loading methods and choosing devices."""

import contextlib
import math
import os
import sys
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any, Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor

from temperfill.errors import InputError
from temperfill.geometry import SizeRule
from temperfill.methods import load
from temperfill.methods.contract import Method, Plain, plain
from temperfill.options import Precision
from temperfill.tensors import check_image_mask, composite

Arithmetic = Literal["fp32", "bf16", "fp16"]
_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def load_method(name_or_path: str | Path, device: str | torch.device = "auto") -> Method:
    """Loads a method by name or path; raises as :func:`temperfill.methods.load` and :func:`choose_device`."""
    return load(name_or_path, choose_device(device))


def choose_device(device: str | torch.device = "auto", *, needs_float64: bool = False) -> str:
    """A device that is there; auto takes CUDA if it can, else MPS, the GPU of a Mac, else the CPU.

    Args:
        device: auto, cpu, cuda, cuda:N or mps.
        needs_float64: which MPS lacks.

    Raises:
        ValueError: no such device.
    """
    if device == "auto":
        if torch.cuda.is_available():
            return "cuda"
        return "mps" if torch.backends.mps.is_available() and not needs_float64 else "cpu"
    try:
        chosen = torch.device(device)
        if chosen.type not in ("cpu", "cuda", "mps"):
            raise RuntimeError(f"{chosen.type} is not supported")
        if chosen.type == "mps" and needs_float64:
            raise RuntimeError("it has no float64")
        torch.empty(1, device=chosen)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"device {str(device)!r} cannot be used ({reason}); take auto, cpu, cuda:N or mps") from None
    return str(chosen)


def choose_precision(precision: Precision, device: str) -> Arithmetic:
    """The arithmetic to use; auto takes bf16 where the hardware computes in it.

    Raises:
        ValueError: no such precision, or none for this device.
    """
    if precision not in get_args(Precision):
        raise ValueError(f"precision must be one of {', '.join(get_args(Precision))}, got {precision!r}")
    if precision == "fp16" and not device.startswith("cuda"):
        raise ValueError(f"precision fp16 is for CUDA, and the device is {device}; take auto, fp32 or bf16")
    if precision != "auto":
        return precision
    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Without units for it a CPU computes in float32 and rounds, which is slower than float32 alone.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)() if device == "cpu" else {}
    return "bf16" if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else "fp32"


@contextlib.contextmanager
def arithmetic(device: torch.device, precision: Arithmetic) -> Iterator[None]:
    """Inference in a precision, for what is called meanwhile."""
    _survive_forks()
    torch.set_flush_denormal(True)  # denormals slow CPUs down by an order of magnitude
    cast = contextlib.nullcontext() if precision == "fp32" else torch.autocast(device.type, _HALF[precision])
    with torch.inference_mode(), cast:
        yield


@cache
def _survive_forks() -> None:
    """Lets children of this process compute: on one thread, as those of OpenMP stay behind, and are waited for."""
    if sys.platform != "win32":
        os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


@torch.inference_mode()
def fill(
    method: Method | Plain,
    image: Tensor,
    mask: Tensor,
    sketch: Tensor | None = None,
    temperature: float = 1.0,
    start: Tensor | None = None,
    avoid: Tensor | None = None,
) -> Tensor:
    """Calls a method on what it accepts, and returns known pixels bit for bit.

    Args:
        method: sees the picture with a grey hole, padded by edge replication to its size rule.
        image: (B, 3, H, W) in [0, 1].
        mask: (B, 1, H, W), 1 = missing.
        sketch: (B, 1, H, W), 1 = line, for methods that take one.
        temperature: factor on learned temperatures, for methods that have them.
        start: (B, 3, H, W) in [0, 1], the picture from which a method that can is to begin.
        avoid: (B, 1, H, W), 1 = known, but a method that can copies nothing from here.

    Returns:
        The composite, (B, 3, H, W) in [0, 1].

    Raises:
        InputError: a sketch, a temperature, a start picture or something to avoid for a method that takes none, or so
            much to avoid that nothing is left to copy from.
        ValueError: arguments as ``check_image_mask`` says, or a result that is not finite or has another shape.
    """
    check_image_mask(image, mask, sketch)
    method = plain(method)
    check_takes(method, sketch is not None, temperature, avoid is not None)
    rule = method.size_rule
    height, width = image.shape[2:]
    hidden, hole = pad(torch.where(mask > 0.5, 0.5, image), rule), pad(mask, rule)
    lines = None if sketch is None else pad(sketch * mask, rule)
    if start is not None:
        if not method.abilities.start:
            raise InputError(f"method {method.name} cannot start from a given picture; omit start")
        if start.shape != image.shape:
            raise ValueError(f"start must have the image's shape {tuple(image.shape)}, got {tuple(start.shape)}")
        start = pad(start, rule)
    if avoid is not None:
        avoid = pad(avoid, rule)
        if not can_copy(method, hole, avoid):
            remedy = "avoid less, or let all of the picture be seen (context full)"
            raise InputError(f"avoid leaves nothing to copy from around the hole; {remedy}")
    result = method(hidden, hole, lines, temperature=temperature, start=start, avoid=avoid)
    if result.shape != hidden.shape:
        raise ValueError(f"method {method.name} gave shape {tuple(result.shape)} for {tuple(hidden.shape)}")
    result = result[:, :, :height, :width]
    if not result.isfinite().all():
        raise ValueError(f"method {method.name} gave values that are not finite; its weights may be damaged")
    return composite(result.clamp(0, 1), image, mask)


def can_copy(method: Method, mask: Tensor, avoid: Tensor | None) -> bool:
    """Whether anything is left that a method may copy from; planes (B, 1, H, W) of a size that it takes."""
    left = method.abilities.avoid
    return avoid is None or left is None or left(mask, avoid)


def check_takes(method: Method, with_sketch: bool, temperature: float, with_avoid: bool = False) -> None:
    """Raises InputError for a sketch, a temperature or something to avoid that a method has no use for."""
    if with_avoid and method.abilities.avoid is None:
        raise InputError(f"method {method.name} cannot avoid a part of the picture; leave it out, or use model base")
    if with_sketch and not method.abilities.sketch:
        raise InputError(f"method {method.name} takes no sketch; leave it out, or use a model trained with sketches")
    if temperature != 1 and not method.abilities.temperature:
        raise InputError(f"method {method.name} has no temperatures; leave the temperature at 1")


def pad(plane: Tensor, rule: SizeRule) -> Tensor:
    """Repeats the last row and column of a plane (B, C, H, W) until its size is one that a method takes."""
    height, width = plane.shape[2:]
    padding = (0, _padding(width, rule), 0, _padding(height, rule))
    return F.pad(plane, padding, mode="replicate") if any(padding) else plane


def _padding(size: int, rule: SizeRule) -> int:
    """Pixels to add to a side."""
    return max(math.ceil(size / rule.multiple), math.ceil(rule.minimum / rule.multiple)) * rule.multiple - size

"""Where and in which arithmetic a method is computed: by torch where it is installed, else on the CPU in float32."""

from typing import TYPE_CHECKING, Any, get_args

from temperfill.extras import has_torch, how_to_add
from temperfill.methods.contract import Arithmetic
from temperfill.options import Precision

if TYPE_CHECKING:
    import torch

_NEEDS = f"needs torch, which is not installed: {how_to_add('torch')}"


def choose_device(device: "str | torch.device" = "auto", *, needs_float64: bool = False) -> str:
    """A device that is there; auto takes CUDA if it can, else MPS, the GPU of a Mac, else the CPU.

    Args:
        device: auto, cpu, cuda, cuda:N or mps.
        needs_float64: which MPS lacks.

    Raises:
        ValueError: no such device.
    """
    if not has_torch():
        if device not in ("auto", "cpu"):
            raise ValueError(f"device {str(device)!r} {_NEEDS}; or take auto or cpu")
        return "cpu"
    import torch

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
    if not has_torch():
        if precision == "bf16":
            raise ValueError(f"precision bf16 {_NEEDS}; or take auto or fp32")
        return "fp32"
    if precision != "auto":
        return precision
    import torch

    if device.startswith("cuda"):
        return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp32"
    # Without units for it a CPU computes in float32 and rounds, which is slower than float32 alone.
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)() if device == "cpu" else {}
    return "bf16" if capabilities.get("amx_bf16") or capabilities.get("avx512_bf16") else "fp32"

"""What the device is and can do, in seconds."""

import os
import platform
import time
from collections.abc import Callable
from typing import Any

import torch

from .compiling import wait_for


def check_device(name: str) -> dict[str, Any]:
    """Versions, memory, and three rates: matrix products, copies, and launches of small kernels.

    Args:
        name: ``cpu`` or ``cuda``.

    Raises:
        RuntimeError: torch finds no such device.
    """
    device = torch.device(name)
    found: dict[str, Any] = {
        "torch": torch.__version__,
        "python": platform.python_version(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
    }
    if device.type == "cuda":
        properties = torch.cuda.get_device_properties(device)
        found |= {
            "name": properties.name,
            "capability": f"{properties.major}.{properties.minor}",
            "memory, GiB": round(properties.total_memory / 2**30, 1),
            "cuda": torch.version.cuda,
            "cudnn": torch.backends.cudnn.version(),
        }
    side = 8192 if device.type == "cuda" else 1024
    for kind in (torch.bfloat16, torch.float32):
        one, two = torch.randn(2, side, side, device=device, dtype=kind)
        seconds = _seconds(lambda one=one, two=two: one @ two, device)
        found[f"{str(kind).removeprefix('torch.')} products, TFLOP/s"] = 2 * side**3 / seconds / 1e12
    source = torch.rand(2**28 if device.type == "cuda" else 2**24, device=device)
    target = torch.empty_like(source)
    found["copies, GB/s read and written"] = 2 * source.nbytes / _seconds(lambda: target.copy_(source), device) / 1e9
    small = torch.zeros(8, device=device)
    found["launch, microseconds"] = 1e6 * _seconds(lambda: small.add_(1), device, 1000)
    return found


def _seconds(work: Callable[[], object], device: torch.device, count: int = 10) -> float:
    """Of a call, the mean after three that warm up."""
    for _ in range(3):
        work()
    wait_for(device)
    began = time.perf_counter()
    for _ in range(count):
        work()
    wait_for(device)
    return (time.perf_counter() - began) / count

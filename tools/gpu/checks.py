"""What the device is and can do, in seconds; and the package's own tests on it."""

import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from . import ROOT
from .compiling import wait_for

_TAIL = 8000
"""Characters that are kept of what the tests said."""


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


def run_tests(output: Path, seconds: float) -> dict[str, Any]:
    """Runs ``pytest -m gpu``; what fails is written down, and time that runs out is no error.

    Args:
        output: file for all that the tests say.
        seconds: after which they are stopped.
    """
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-v", "--tb=short", "-p", "no:cacheprovider", "tests/gpu"]
    paths = [str(ROOT / "src"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
    with output.open("w", encoding="utf-8") as file:
        began = time.monotonic()
        process = subprocess.Popen(command, cwd=ROOT, stdout=file, stderr=subprocess.STDOUT, env=environment)
        try:
            ended = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            ended = None
    text = output.read_text(encoding="utf-8", errors="replace")
    tests = [line for line in text.splitlines() if "::" in line]
    return {
        "exit status": "stopped: the time was over" if ended is None else ended,
        "seconds": round(time.monotonic() - began, 1),
        "passed": sum(" PASSED" in line for line in tests),
        "skipped": sum(" SKIPPED" in line for line in tests),
        "failed": [line.split(" ")[0] for line in tests if " FAILED" in line or " ERROR" in line],
        "end of the output": "" if ended in (0, 5) else text[-_TAIL:],
    }

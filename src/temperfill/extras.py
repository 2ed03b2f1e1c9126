"""What there is to compute with: optional packages, and cores."""

import os
import sys
from functools import cache
from importlib.util import find_spec


@cache
def has_torch() -> bool:
    """Whether torch can be imported; it is not imported for that, as it takes seconds."""
    return find_spec("torch") is not None


def how_to_add(extra: str) -> str:
    """The command that brings the packages of an extra; pip takes temperfill itself as it is installed."""
    return f"pip install 'temperfill[{extra}]'"


def is_tensor(value: object) -> bool:
    """Whether something is a tensor of torch, which is not imported to tell: who has a tensor did so."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def cores() -> int:
    """Threads to compute on: as many as OMP_NUM_THREADS says, or one for each core that this process may use."""
    asked = os.environ.get("OMP_NUM_THREADS", "")
    if asked.isdecimal() and int(asked):
        return int(asked)
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

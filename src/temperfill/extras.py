"""What of the optional packages is there."""

import sys
from functools import cache
from importlib.util import find_spec


@cache
def has_torch() -> bool:
    """Whether torch can be imported; it is not imported for that, as it takes seconds."""
    return find_spec("torch") is not None


def is_tensor(value: object) -> bool:
    """Whether something is a tensor of torch, which is not imported to tell: who has a tensor did so."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)

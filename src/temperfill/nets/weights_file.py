"""Reading weights that others published, without running code from them."""

import pickle
import struct
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

UNREADABLE = (
    pickle.UnpicklingError,
    struct.error,
    RuntimeError,
    EOFError,
    LookupError,
    TypeError,
    AttributeError,
    ValueError,
)
"""What torch.load meets foreign or truncated bytes with: a pickle's first bytes may mean anything."""


class Inert:
    """Stands for every foreign object in a checkpoint: nothing of it is imported, called or kept."""

    def __init__(self, *_: object, **__: object) -> None: ...

    def __setstate__(self, _: object) -> None: ...


def read_checkpoint(path: Path) -> dict[Any, Any]:
    """The content of a checkpoint that others saved, whose tensors alone are what they were.

    Training programs store configurations and callbacks beside the weights. Their classes are not imported; such
    objects are read as :class:`Inert`.

    Args:
        path: of a .safetensors file or a file of ``torch.save``.

    Raises:
        OSError: no such file.
        ValueError: neither.
    """
    content = _content(path, "checkpoint")
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds {type(content).__name__}, not a dict of tensors")
    return content


def read_tensors(path: Path, what: str, hint: str, under: str | None = None) -> dict[str, Tensor]:
    """The state dict in a .safetensors file or a file of ``torch.save``.

    Args:
        path: of the file.
        what: it should be, such as "VGG weights", for messages.
        hint: what to give instead, for messages.
        under: key under which it may stand in the file.

    Raises:
        OSError: no such file.
        ValueError: not a weights file.
    """
    try:
        tensors = _content(path, what)
    except (OSError, ValueError) as error:
        raise type(error)(f"{error}; {hint}") from None
    if under and isinstance(tensors, dict) and isinstance(tensors.get(under), dict):
        tensors = tensors[under]
    if not (isinstance(tensors, dict) and all(isinstance(tensor, Tensor) for tensor in tensors.values())):
        raise ValueError(f"{path} holds no state dict of tensors; {hint}")
    return tensors


def _content(path: Path, what: str) -> Any:
    """What a file of weights holds, with foreign objects as :class:`Inert`."""
    if not path.is_file():
        raise FileNotFoundError(f"no {what} at {path}")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        foreign = torch.serialization.get_unsafe_globals_in_checkpoint(path)
        with torch.serialization.safe_globals([(Inert, name) for name in foreign]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, *UNREADABLE) as error:
        # Of torch's own text, which advises to run the code in the file, this says what was refused.
        refused = [line for line in str(error).splitlines() if line.startswith("Trying to")]
        reason = refused[0] if refused else type(error).__name__
        raise ValueError(f"{path} is not a readable file of weights: {reason}") from None

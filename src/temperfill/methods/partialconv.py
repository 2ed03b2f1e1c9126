"""Partial convolutions (Liu et al. 2018): a U-net that convolves known pixels alone."""

from pathlib import Path

from temperfill.methods._learned import LearnedMethod, load_learned
from temperfill.nets.partialconv import PartialConvUNet


def load(device: str = "cpu", path: Path | None = None) -> LearnedMethod:
    """The method with weights from a file.

    Args:
        device: such as cpu or cuda:0.
        path: of a .safetensors file; there are no bundled weights.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: no path, a damaged file, or one of another method.
    """
    return load_learned("partialconv", PartialConvUNet.SIZE_RULE, device, path)

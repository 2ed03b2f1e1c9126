"""WaveFill (Yu et al. 2021): wavelet bands are completed one after the other."""

from pathlib import Path

from temperfill.methods._learned import LearnedMethod, load_learned
from temperfill.nets.wavefill import WaveFill


def load(device: str = "cpu", path: Path | None = None) -> LearnedMethod:
    """The method with weights from a file.

    Args:
        device: such as cpu or cuda:0.
        path: of a .safetensors file; there are no bundled weights.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: no path, a damaged file, or one of another method.
    """
    return load_learned("wavefill", WaveFill.SIZE_RULE, device, path)

"""DeepFillv2 (Yu et al. 2019): gated convolutions, coarse to fine, with contextual attention."""

from pathlib import Path

from temperfill.methods._learned import LearnedMethod, load_learned
from temperfill.nets.deepfillv2 import DeepFillV2


def load(device: str = "cpu", path: Path | None = None) -> LearnedMethod:
    """The method with weights from a file.

    Args:
        device: such as cpu or cuda:0.
        path: of a .safetensors file; there are no bundled weights.

    Raises:
        OSError: no such file, or it cannot be read.
        ValueError: no path, a damaged file, or one of another method.
    """
    return load_learned("deepfillv2", DeepFillV2.SIZE_RULE, device, path)

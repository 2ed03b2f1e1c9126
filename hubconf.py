"""Entry points for ``torch.hub.load``; from a clone: ``torch.hub.load(CLONE, "inpainter", source="local")``."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "src"))  # of the clone itself, where the package is not installed

from temperfill import load as inpainter
from temperfill import network

__all__ = ["dependencies", "inpainter", "network"]

dependencies = ["torch", "numpy", "PIL", "safetensors", "filelock"]

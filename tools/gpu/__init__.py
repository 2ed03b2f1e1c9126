"""A short time on one GPU, used to the second: checks, tests, training, evaluation and speeds in one command.

It trains by the clock, which the package's trainer must not, and cuts what it writes into files of a few MiB. So it
stands beside the package and not in it; networks, losses, masks, updates and the evaluation are the package's own.
See docs/train/gpu.md.
"""

import importlib.util
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

# A machine that is lent for minutes has torch, but not this package.
if importlib.util.find_spec("temperfill") is None:
    sys.path.insert(0, str(ROOT / "src"))

"""One part of a session in a process of its own: it may fail, hang or run out of memory, and the others go on.

python -m tools.gpu.part NAME OPTIONS.json RESULT.json SECONDS
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

from .options import Options


def main() -> None:
    """Runs the part, and writes what it finds as JSON."""
    name, options, result, seconds = sys.argv[1:]
    found = PARTS[name](Options.read(Path(options)), Path(result), float(seconds))
    write(Path(result), found)


def write(path: Path, found: dict[str, Any]) -> None:
    """Writes a result; what is no JSON, as text."""
    path.write_text(json.dumps(found, indent=1, default=str), encoding="utf-8")


def check(options: Options, result: Path, seconds: float) -> dict[str, Any]:
    """What the device is and can do."""
    from .checks import check_device

    return check_device(options.device)


def test(options: Options, result: Path, seconds: float) -> dict[str, Any]:
    """The package's tests on it."""
    from .suite import run_tests

    return run_tests(result.with_suffix(".txt"), seconds - 1)


def train(options: Options, result: Path, seconds: float) -> dict[str, Any]:
    """Training."""
    began = time.monotonic()
    import torch

    from temperfill.config import TrainConfig
    from temperfill.systems.table import load_run

    from .inputs import load
    from .training import Settings, configuration
    from .training import train as train_for

    torch.set_flush_denormal(True)
    pictures, lines = load(options.inputs)
    vgg = next((options.inputs / "weights").glob("vgg*"), None)
    recipe = load_run(options.recipe)
    assert isinstance(recipe, TrainConfig)
    config = configuration(recipe, options.weights, vgg, options.crop_size or pictures.shape[-1])
    prepared = time.monotonic() - began
    settings = Settings(
        min(options.seconds, seconds - prepared - _ENDING),
        options.total,
        options.rate,
        options.batch_size,
        options.workers,
        options.compile,
        options.save_every,
        options.device,
    )
    found = train_for(pictures, lines, config, settings, options.output, options.before)
    return found | {"seconds before the first step": round(prepared, 1)}


_ENDING = 5.0
"""Seconds that the last save and the end of the process may take."""


def judge(options: Options, result: Path, seconds: float) -> dict[str, Any]:
    """Evaluation of what was trained; written on ever more pictures, so that the last that was done stays."""
    from .figures import judge as compare
    from .state import GENERATOR

    work, weights = result.parent / "evaluation", options.output / GENERATOR
    found: dict[str, Any] = {}
    for found in compare(options.inputs, weights, work, options.output, options.device, seconds - _STARTING):
        write(result, found)
    return found


def speed(options: Options, result: Path, seconds: float) -> dict[str, Any]:
    """Speeds; written after each, so that those that are measured stay."""
    from .figures import measure_speeds
    from .inputs import SIDE

    rows: list[dict[str, Any]] = []
    for row in measure_speeds(options.device, seconds - _STARTING, options.crop_size or SIDE):
        rows.append(row)
        write(result, {"rows": rows})
    return {"rows": rows}


_STARTING = 8.0
"""Seconds that a process takes to start."""
PARTS = {"check": check, "test": test, "train": train, "judge": judge, "speed": speed}
"""All parts, in the order in which they matter."""

if __name__ == "__main__":
    main()

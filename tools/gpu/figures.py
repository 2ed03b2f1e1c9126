"""After training: how good the weights are by the package's evaluation, and the speeds that the documents lack."""

import shutil
import sys
import time
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import torch

from temperfill import evaluate
from temperfill.config import EvaluationConfig, MetricsConfig

from . import ROOT

TRAINED = "trained"
_SHEET_LIMIT = 15 * 2**20


def judge(
    inputs: Path, weights: Path, work: Path, output: Path, device: str, seconds: float
) -> Iterator[dict[str, Any]]:
    """Compares trained weights with the bundled ones, on one picture of each kind and then on as many as fit the time.

    The squeeze figure judges and nothing else: no loss and no choice may use it.

    Args:
        inputs: from ``prepare``.
        weights: of the trained generator.
        work: folder for composites.
        output: folder for a sheet of pictures.
        device: ``cpu`` or ``cuda``.
        seconds: that there are.

    Yields:
        Pictures of each kind, means by group, and differences with their intervals; the last has most pictures.

    Raises:
        OSError: a file is missing.
        ValueError: damaged inputs.
    """
    folders = tuple(path for path in sorted((inputs / "val").iterdir()) if path.is_dir())
    masks = inputs / "masks" if (inputs / "masks").is_dir() else None
    judges = MetricsConfig(weights=inputs / "weights" if (inputs / "weights").is_dir() else None)
    most = max(sum(1 for _ in folder.iterdir()) for folder in folders)
    entrants = evaluate.load_entrants(["base", f"{TRAINED}={weights}"], device)
    began, before = time.monotonic(), 0.0
    limit = 1
    while limit:
        config = EvaluationConfig(folders, masks, limit=limit, judge=judges)
        data = evaluate.measure(
            evaluate.prepare(config, work, device), entrants, reference="base", command="", progress=False
        )
        taken = time.monotonic() - began
        # Composites that are there are taken over, and judged anew.
        fitting = int(limit * 0.7 * (seconds - taken) / (taken - before))
        sheets = sorted((work / "sheets").glob("*"))
        if sheets and sheets[0].stat().st_size < _SHEET_LIMIT:
            shutil.copyfile(sheets[0], output / f"sheet{sheets[0].suffix}")
        yield {
            "pictures of each kind": limit,
            "by group": data["by_group"],
            "sets": data["sets"],
            "trained - base": data["comparison"],
            "seconds": round(taken, 1),
        }
        # The first call warms up, and says little of the next ones.
        fitting = min(fitting, most, 4 * limit)
        limit, before = (fitting if fitting > limit else 0), taken


def measure_speeds(device: str, seconds: float, size: int = 256, width: int = 24) -> Iterator[dict[str, Any]]:
    """Figures of the benchmarks that the documents lack for a GPU, the most wanted first, until the time is over.

    Args:
        device: ``cpu`` or ``cuda``.
        seconds: that there are.
        size: side of the pictures, pixels; a quarter of it is that of the smaller maps.
        width: channels at full resolution.

    Yields:
        Rows as ``benchmarks/forward.py`` and ``benchmarks/attention.py`` write them, with their ``program``.
    """
    sys.path.insert(0, str(ROOT / "benchmarks"))
    import forward

    import attention

    programs: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
        "forward": forward.measure_cell,
        "attention": attention.measure_cell,
    }
    deadline = time.monotonic() + seconds
    repeats, longest = (100, 1.5) if device == "cuda" else (3, 2.0)
    fixed = {"device": device, "threads": torch.get_num_threads(), "repeats": repeats}
    for program, cell in _cells(size, width, longest):
        if time.monotonic() + 2 * longest > deadline:
            return
        if device == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            found = programs[program](cell | fixed)
        except torch.OutOfMemoryError:
            found = {"failed": "out of memory"}
        yield {"program": program} | cell | fixed | found


def _cells(size: int, width: int, longest: float) -> Iterator[tuple[str, dict[str, Any]]]:
    """What is measured, in this order: our network at batch 16 and 1, Fig. 7, the table of attentions."""
    forward = {"size": size, "width": width, "seconds": longest, "gpus": 1 if torch.cuda.is_available() else 0}
    attention = {"channels": 4 * width, "limit": longest, "memory": 0.0}
    for precision, batch in product(("bf16", "fp32"), (16, 1)):
        yield "forward", forward | {"model": "mhtma", "precision": precision, "batch": batch}
    models = ("mhtma", "atma", "ours-atma", "atma-looped", "ours-atma-looped")
    for batch, model in product((1, 2, 4, 8, 16), models):
        if model != "mhtma" or batch not in (1, 16):
            yield "forward", forward | {"model": model, "precision": "bf16", "batch": batch}
    modules = ("mhtma-fused", "atma-looped", "contextual-looped", "mhtma-reference")
    for side, batch, way, module in product((size // 4, size // 2, size // 8), (1, 16), ("forward", "both"), modules):
        # The matrix of all pairs would not fit beside anything else.
        if module != "mhtma-reference" or batch * side**4 <= 16 * 64**4:
            cell = {"module": module, "pass": way, "precision": "bf16", "batch": batch, "side": side}
            yield "attention", attention | cell

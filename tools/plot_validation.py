"""Draws the validation of a training: means over pictures of what `temperfill evaluate` measured at several steps.

python tools/plot_validation.py OUTPUT_FOLDER [rows.json]

The rows are those of `temperfill evaluate --methods steps-100.safetensors steps-200.safetensors ...`: generators are
named by their steps. Without rows it draws made-up ones.
"""

import json
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

MEASURES = {"psnr": "PSNR, dB", "vgg": "VGG distance", "sharp": "sharpness, 1 = the truth's"}


def steps_of(method: str) -> int | None:
    """Number at the end of steps-N, or None for another method."""
    found = re.search(r"steps-(\d+)$", method)
    return int(found[1]) if found else None


def mean_curves(rows: list[dict[str, Any]], measure: str) -> dict[str, list[tuple[int, float]]]:
    """Kind of pictures to steps and means, in order of the steps."""
    values: dict[tuple[str, int], list[float]] = defaultdict(list)
    for row in rows:
        steps = steps_of(row["method"])
        if steps is not None and row.get(measure) is not None:
            values[row["kind"], steps].append(row[measure])
    curves: dict[str, list[tuple[int, float]]] = defaultdict(list)
    for (kind, steps), found in sorted(values.items()):
        curves[kind].append((steps, sum(found) / len(found)))
    return curves


def main() -> None:
    """Reads the rows and writes validation.png."""
    folder, paths = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    if paths:
        rows = [row for path in paths for row in json.loads(path.read_text(encoding="utf-8"))]
    else:
        rows = [
            {"kind": "made up", "method": f"steps-{s}", "psnr": 20 + s / 9, "vgg": 1 / s, "sharp": 0.5}
            for s in range(1, 9)
        ]
    figure, axes = plt.subplots(1, len(MEASURES), figsize=(13, 4), constrained_layout=True)
    for axis, (measure, title) in zip(axes, MEASURES.items(), strict=True):
        for kind, curve in mean_curves(rows, measure).items():
            steps, means = zip(*curve, strict=True)
            axis.plot(steps, means, marker="o", label=kind)
        axis.set(xlabel="step", ylabel=title)
        axis.grid(alpha=0.3)
    axes[0].legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "validation.png", dpi=100)


if __name__ == "__main__":
    main()

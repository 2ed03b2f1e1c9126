"""Draws the curves of a training run: losses, temperatures of the heads, and the rate, over the steps.

python tools/plot_training.py OUTPUT_FOLDER [log.jsonl ...]

Several logs are drawn one after the other, as when a run starts from another. Without a log it draws a made-up one.
"""

import json
import sys
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

LOSSES = ("coarse", "refined", "perceptual", "texture", "adversarial", "discriminator")


def read(paths: list[Path]) -> list[dict[str, Any]]:
    """Lines of all logs, with the steps of each counted on from the last."""
    records: list[dict[str, Any]] = []
    for path in paths:
        before = records[-1]["step"] if records else 0
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        records += [line | {"step": line["step"] + before} for line in lines if "validation" not in line]
    return records


def smooth(values: list[float], weight: float = 0.8) -> list[float]:
    """Running average, so that curves of single batches can be read."""
    result: list[float] = []
    for value in values:
        result.append(value if not result else weight * result[-1] + (1 - weight) * value)
    return result


def main() -> None:
    """Reads the logs and writes training.png."""
    folder, paths = Path(sys.argv[1]), [Path(name) for name in sys.argv[2:]]
    if paths:
        records = read(paths)
    else:
        records = [{"step": s, "refined": 1 / s, "temperature": [0.1 / s, 0.1 + 0.01 * s]} for s in range(1, 50)]
    figure, axes = plt.subplots(1, 2, figsize=(11, 4), constrained_layout=True)
    for name in LOSSES:
        found = [(r["step"], r[name]) for r in records if name in r]
        if found:
            steps, values = zip(*found, strict=True)
            axes[0].plot(steps, smooth(list(values)), label=name)
    axes[0].set(xlabel="step", ylabel="weighted loss", yscale="log", title="losses (running average)")
    axes[0].legend()
    with_heads = [r for r in records if r.get("temperature")]
    for head in range(len(with_heads[0]["temperature"]) if with_heads else 0):
        axes[1].plot(
            [r["step"] for r in with_heads], [r["temperature"][head] for r in with_heads], label=f"head {head + 1}"
        )
    axes[1].set(xlabel="step", ylabel="mean temperature", yscale="log", title="temperatures")
    axes[1].legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "training.png", dpi=110)


if __name__ == "__main__":
    main()

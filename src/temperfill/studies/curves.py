"""Temperatures of every head over training (the paper's Fig. 6), from the logs of runs."""

import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from temperfill import report
from temperfill.runs.folder import RunFolder
from temperfill.runs.log import read_log
from temperfill.systems.table import load_run

_DIGITS = 6


def curves(runs: Sequence[Path], output: Path) -> dict[str, Any]:
    """Draws the temperatures of every head: the mean over the pictures of each interval, and their range.

    Writes ``temperatures.png``, one panel for each run on common scales, and ``temperatures.json``.

    Args:
        runs: folders of training runs.
        output: folder; made if missing.

    Returns:
        What the JSON file holds.

    Raises:
        OSError: a run folder or its log is missing, or the output cannot be written.
        ValueError: no runs, or a run without temperatures.
        ModuleNotFoundError: matplotlib is missing.
    """
    report.need_matplotlib()
    if not runs:
        raise ValueError("no runs: name at least one run folder")
    found = {title: _read(run) for title, run in _titles(runs).items()}
    output.mkdir(parents=True, exist_ok=True)
    data = {"format": "temperfill-curves-1", "runs": {title: entry for title, (entry, _) in found.items()}}
    report.write_json(output / "temperatures.json", data)
    panels = {f"{entry['attention']}: {title}": lines for title, (entry, lines) in found.items()}
    report.plot_curves(panels, output / "temperatures.png", "temperature")
    return data


def _titles(runs: Sequence[Path]) -> dict[str, Path]:
    """Runs by the shortest ends of their paths that tell them apart."""
    paths = [run.resolve() for run in runs]
    if len(set(paths)) < len(paths):
        raise ValueError("a run folder is named twice")
    length = 1
    while len({path.parts[-length:] for path in paths}) < len(paths):
        length += 1
    return {"/".join(path.parts[-length:]): run for path, run in zip(paths, runs, strict=True)}


def _read(run: Path) -> tuple[dict[str, Any], list[report.Curve]]:
    """What the JSON file says of a run, and the curve of each head."""
    folder = RunFolder(run)
    if not run.is_dir():
        raise NotADirectoryError(f"no run folder at {run}")
    if not folder.log_path.is_file() or not folder.config_path.is_file():
        raise FileNotFoundError(f"{run} is not a run folder: it has no log.jsonl and config.json")
    config = load_run(folder.config_path)
    attention = config.generator.attention if config.method == "ours" else config.method
    log = read_log(folder.log_path)
    if not log.heads():
        raise ValueError(f"the log of {run} has no temperatures: its attention is {attention}, or no line is written")
    lines = []
    for head in range(log.heads()):
        steps, mean = log.temperature(head)
        low, high = (log.temperature(head, f"temperature_{end}")[1] for end in ("low", "high"))
        lines.append(report.Curve(f"head {head + 1}", steps, mean, low, high))
    return {"attention": attention, "steps": steps, "heads": [_describe(line) for line in lines]}, lines


def _describe(line: report.Curve) -> dict[str, Any]:
    """A head's values, and what its curve is judged by: where it starts, turns and ends, signs, and its unrest."""
    mean = list(line.mean)
    lowest = min(range(len(mean)), key=mean.__getitem__)
    changes = sorted(abs(b - a) / max(abs(a), 1e-12) for a, b in itertools.pairwise(mean))
    return {
        "mean": mean,
        "low": list(line.low),
        "high": list(line.high),
        "start": mean[0],
        "lowest": mean[lowest],
        "lowest_step": line.steps[lowest],
        "end": mean[-1],
        "negative_share": round(sum(low < 0 for low in line.low) / len(mean), _DIGITS),
        "median_change": round(changes[len(changes) // 2], _DIGITS) if changes else 0.0,
    }

"""``temperfill watch``: how a training run goes, on the terminal or as a page."""

import time
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say

_BARS = "▁▂▃▄▅▆▇█"
_WIDTH = 40
"""Characters of a curve in the terminal."""


@dataclass(frozen=True)
class WatchOptions:
    """Shows losses, temperatures of every head, validation and progress of a run, during training or after it."""

    run: Annotated[Positional[Path], arg(metavar="RUN")]
    """Folder of the run."""
    once: bool = False
    """Show once and exit (the default when stdout is not a terminal)."""
    interval: float = 2.0
    """Seconds between updates."""
    html: Path | None = None
    """Write a page with curves, samples and configuration to this file instead."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(WatchOptions, "watch", words)
    require(options.interval > 0, f"--interval must be positive, got {options.interval}")
    from rich.console import Console
    from rich.live import Live

    from temperfill.runs.log import read_run
    from temperfill.runs.page import write_run_page

    if options.html is not None:
        write_run_page(options.run, options.html)
        say(f"wrote {options.html}")
        return
    console = Console()
    if options.once or not console.is_terminal:
        console.print(view(options.run, *read_run(options.run)))
        return
    with Live(view(options.run, *read_run(options.run)), console=console, auto_refresh=False) as live:
        while True:
            time.sleep(options.interval)
            live.update(view(options.run, *read_run(options.run)), refresh=True)


def view(run_dir: Path, log: Any, config: dict[str, Any]) -> Any:
    """What the terminal shows.

    Args:
        run_dir: folder of the run.
        log: ``temperfill.runs.log.RunLog``.
        config: of the run, as JSON.
    """
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from temperfill.progress import duration

    goal = config.get("num_steps", 0)
    if not log.steps:
        return Text(f"{run_dir}: no step has been logged yet")
    last = log.steps[-1]
    left = (goal - last["step"]) * config.get("batch_size", 1) / max(last["images_per_second"], 1e-9)
    time_left = f", about {duration(left)} left at this rate" if left > 0 else ""
    head = f"{run_dir}: step {last['step']:,} of {goal:,}, {last['images_per_second']:.2f} images/s{time_left}"
    table = Table(box=None, header_style="bold", pad_edge=False)
    for name, justify in (("", "left"), ("now", "right"), ("lowest", "right"), ("over the run", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    for name in log.names():
        _add(table, name, log.curve(name)[1])
    for number in range(log.heads()):
        _add(table, f"temperature, head {number + 1}", log.temperature(number)[1])
    for name in dict.fromkeys(name for line in log.validations for name in line["validation"]):
        values = [line["validation"][name] for line in log.validations if name in line["validation"]]
        _add(table, f"validation {name}", values)
    sheets = sorted((run_dir / "samples").glob("*.png"))
    foot = f"latest samples: {sheets[-1]}" if sheets else "no samples yet"
    return Group(Text(head), table, Text(foot))


def _add(table: Any, name: str, values: list[float]) -> None:
    table.add_row(name, f"{values[-1]:.4g}", f"{min(values):.4g}", curve(values))


def curve(values: list[float], width: int = _WIDTH) -> str:
    """A curve of blocks, from the lowest to the highest value; each stands for the mean of a part of the values."""
    parts = min(width, len(values))
    bounds = [i * len(values) // parts for i in range(parts + 1)]
    means = [sum(values[a:b]) / (b - a) for a, b in pairwise(bounds)]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)

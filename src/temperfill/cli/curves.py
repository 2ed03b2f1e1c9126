"""``temperfill curves``: temperatures over training."""

from dataclasses import dataclass
from pathlib import Path

from tyro.conf import Positional

from temperfill.cli.parsing import parse, say


@dataclass(frozen=True)
class CurvesOptions:
    """Draws the temperature of every head over training, one panel for each run: mean line and range."""

    runs: Positional[tuple[Path, ...]]
    """Folders of training runs."""
    output: Path
    """Folder for temperatures.png and temperatures.json."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(CurvesOptions, "curves", words)
    from temperfill import studies

    studies.curves(options.runs, options.output)
    say(f"wrote {options.output / 'temperatures.png'}")

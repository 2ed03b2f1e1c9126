"""``temperfill guidance``: how far a network follows lines."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from temperfill.cli.parsing import parse, say
from temperfill.config import EvaluationConfig


@dataclass(frozen=True)
class GuidanceOptions:
    """Fills the same holes with the true sketch and with none, and compares the lines of the results with the truth."""

    evaluation: EvaluationConfig
    output: Path
    """Folder of the report."""
    model: str = "ours"
    """Bundled model, or path of a weights file or run folder of a network that takes sketches."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(GuidanceOptions, "guidance", words, flat=True)
    from temperfill import studies

    command = shlex.join(["temperfill", "guidance", *words])
    studies.guidance(options.model, options.evaluation, options.output, options.device, command)
    say(f"wrote {options.output / 'report.md'}")

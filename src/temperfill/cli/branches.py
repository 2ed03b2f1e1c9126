"""``temperfill branches``: what the branches and temperatures of a network do."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from temperfill.cli.parsing import parse, say
from temperfill.config import EvaluationConfig


@dataclass(frozen=True)
class BranchesOptions:
    """Fills with one network whole, with one branch off, and with its highest or lowest temperature only."""

    evaluation: EvaluationConfig
    output: Path
    """Folder of the report."""
    model: str = "ours"
    """Bundled model, or path of a weights file or run folder of our network."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(BranchesOptions, "branches", words, flat=True)
    from temperfill import studies

    command = shlex.join(["temperfill", "branches", *words])
    studies.branches(options.model, options.evaluation, options.output, options.device, command)
    say(f"wrote {options.output / 'report.md'}")

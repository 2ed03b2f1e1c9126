"""``temperfill evaluate``: compare methods on pictures."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from temperfill.cli.parsing import parse, say
from temperfill.config import EvaluationConfig


@dataclass(frozen=True)
class EvaluateOptions:
    """Fills pictures with methods and writes measures, tables and sheets."""

    evaluation: EvaluationConfig
    output: Path
    """Folder of the report."""
    methods: tuple[str, ...] = ("ours",)
    """Names of models and methods (see temperfill models), paths of .safetensors files or of run folders, or
    LABEL=RUN,RUN with the runs of one method."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(EvaluateOptions, "evaluate", words, flat=True)
    from temperfill import evaluate

    command = shlex.join(["temperfill", "evaluate", *words])
    evaluate.run(options.methods, options.evaluation, options.output, device=options.device, command=command)
    say(f"wrote {options.output / 'report.md'}")

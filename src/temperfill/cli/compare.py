"""``temperfill compare``: the paper's tables of methods, on any pictures."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from temperfill.cli.parsing import parse, say
from temperfill.config import EvaluationConfig, StudyConfig


@dataclass(frozen=True)
class CompareOptions:
    """Compares methods on pictures; trains the learned ones first if training folders are named."""

    evaluation: EvaluationConfig
    study: StudyConfig
    output: Path
    """Folder of the report, and of the runs; the same command goes on where it stopped."""
    methods: tuple[str, ...] = ("ours", "atma", "wavefill", "deepfillv2", "partialconv", "patchmatch")
    """Names of methods, paths of weights files or run folders, or LABEL=RUN,RUN with the runs of one method. The first
    is compared with each other. With --train, ours, partialconv, deepfillv2, wavefill and atma are trained."""
    by_ratio: bool = False
    """Masks in the paper's five bins of the hole's share, instead of strokes and a square."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(CompareOptions, "compare", words, flat=True)
    from temperfill import studies

    evaluation = studies.by_ratio(options.evaluation) if options.by_ratio else options.evaluation
    command = shlex.join(["temperfill", "compare", *words])
    studies.compare(options.methods, evaluation, options.output, options.study, command)
    say(f"wrote {options.output / 'report.md'}")

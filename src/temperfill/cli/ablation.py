"""``temperfill ablation``: train variants of our network and compare them."""

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional

from temperfill.cli.parsing import parse, say
from temperfill.config import EvaluationConfig, StudyConfig


@dataclass(frozen=True)
class AblationOptions:
    """Trains variants of our network for the same steps on the same pictures and masks, and compares them."""

    what: Positional[Literal["attention", "adversarial"]]
    """attention: MHTMA, ATMA, contextual attention and none. adversarial: hinge with spectral normalisation, and
    WGAN-GP."""
    evaluation: EvaluationConfig
    study: StudyConfig
    output: Path
    """Folder of the report and of the runs; the same command goes on where it stopped."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(AblationOptions, "ablation", words, flat=True)
    from temperfill import studies

    command = shlex.join(["temperfill", "ablation", *words])
    studies.ablation(options.what, options.evaluation, options.output, options.study, command)
    say(f"wrote {options.output / 'report.md'}")

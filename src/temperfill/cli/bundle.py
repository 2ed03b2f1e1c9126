"""``temperfill bundle``: write a trained generator in half precision."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say


@dataclass(frozen=True)
class BundleOptions:
    """Writes a trained generator in half precision, half the size, to ship or to share."""

    weights: Annotated[Positional[str], arg(metavar="WEIGHTS")]
    """Name of a bundled model, a weights file, or the folder of a run."""
    output: Path
    """File to write, .safetensors."""
    terms: str = ""
    """Terms of use to store in the file, such as "research use only"; by default those of WEIGHTS."""
    training_data: str = ""
    """Pictures that the model learned from, for temperfill models; by default what WEIGHTS says."""
    results: str = ""
    """What was measured, likewise."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(BundleOptions, "bundle", words)
    require(options.output.suffix == ".safetensors", f"--output must end in .safetensors, got {options.output}")
    from temperfill.methods.finding import find_weights
    from temperfill.weights_files import halve_generator

    facts = {"terms": options.terms, "training_data": options.training_data, "results": options.results}
    halve_generator(find_weights(options.weights), options.output, facts)
    say(f"wrote {options.output} ({options.output.stat().st_size / 1e6:.1f} MB)")

"""``temperfill convert``: a checkpoint that others released to a weights file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say


@dataclass(frozen=True)
class ConvertOptions:
    """Converts a released checkpoint of DeepFillv2, partial convolutions or LaMa; no code from it runs."""

    checkpoint: Annotated[Positional[Path], arg(metavar="CHECKPOINT")]
    """File of torch.save (.pth, .ckpt), or .safetensors."""
    output: Path
    """Weights file to write, .safetensors; give it to --model or --methods."""
    terms: str = ""
    """Terms of use to store in the file, such as "non-commercial use only"."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(ConvertOptions, "convert", words)
    require(options.output.suffix == ".safetensors", f"--output must end in .safetensors, got {options.output}")
    from temperfill.weights_files import convert_released
    from temperfill.weights_reading import method_in

    source = convert_released(options.checkpoint, options.output, options.terms)
    say(f"wrote {options.output}: {method_in(options.output)}, from the layout of {source}")

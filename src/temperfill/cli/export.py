"""``temperfill export``: write an ONNX file of a model."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, say
from temperfill.options import DEFAULT_MODEL


@dataclass(frozen=True)
class ExportOptions:
    """Writes an ONNX file of one of our networks, after onnxruntime filled test pictures as torch does."""

    model: Annotated[Positional[str], arg(metavar="[MODEL]")] = DEFAULT_MODEL
    """Name of a bundled model, a weights file, or the folder of a run."""
    output: Path = Path("model.onnx")
    """File to write, .onnx."""
    part: Literal["whole", "network"] = "whole"
    """whole: bytes of a picture and its mask to the bytes of the filled one; network: the network alone, on batches."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(ExportOptions, "export", words)
    from temperfill.export import export_onnx

    say(f"exporting {options.model}; this takes a minute")
    for difference in export_onnx(options.model, options.output, options.part):
        say(str(difference))
    say(f"wrote {options.output} ({options.output.stat().st_size / 1e6:.1f} MB)")

"""``temperfill evaluate``: compare methods on pictures."""

import dataclasses
import shlex
from dataclasses import dataclass
from pathlib import Path

from temperfill.cli.parsing import parse, say


@dataclass(frozen=True)
class EvaluateOptions:
    """Fills pictures with methods and writes measures, tables and sheets."""

    pictures: tuple[Path, ...]
    """Folders of pictures; each is a kind, named after itself."""
    output: Path
    """Folder of the report."""
    methods: tuple[str, ...] = ("ours",)
    """Names of models and methods (see temperfill models), or paths of .safetensors files."""
    masks: Path | None = None
    """Folder with GROUP/KIND/STEM.png, white = missing; without it masks are drawn."""
    groups: tuple[str, ...] = ()
    """Groups of that folder; none means all."""
    vgg: Path | None = None
    """VGG weights for the VGG distance; without them it is left out."""
    squeezenet: Path | None = None
    """SqueezeNet weights for the SqueezeNet distance; without them it is left out."""
    mask_kind: str = "free-form-square"
    """Kind of drawn masks: free-form-square, or ratio-LOW-HIGH such as ratio-0.1-0.2; several joined by commas."""
    seed: int = 0
    """Seed of drawn masks."""
    limit: int = 0
    """Most pictures of each folder; 0 means all."""
    size: int = 256
    """Side of the squares that pictures are cropped and resized to, pixels."""
    device: str = "auto"
    """auto, cpu, cuda or cuda:N."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(EvaluateOptions, "evaluate", words)
    from temperfill import evaluate

    fields = {f.name: getattr(options, f.name) for f in dataclasses.fields(options) if f.name != "debug"}
    evaluate.run(**fields, command=shlex.join(["temperfill", "evaluate", *words]))
    say(f"wrote {options.output / 'report.md'}")

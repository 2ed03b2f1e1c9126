"""``temperfill prune``: a smaller network with the channels of another that matter most."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DEFAULT_MODEL


@dataclass(frozen=True)
class PruneOptions:
    """Writes a smaller model with the channels of another that matter most on pictures of yours.

    It needs training afterwards: temperfill fine-tune PICTURES --model OUTPUT --run-dir RUN.
    """

    pictures: Annotated[Positional[tuple[Path, ...]], arg(metavar="FOLDER [FOLDER ...]")]
    """Folders of pictures of the kind that the model is to fill, such as those of its training."""
    output: Path
    """File to write, .safetensors."""
    share: float = 0.5
    """Share of the channels of every gated convolution that stays, between 0 and 1; half of the channels is a quarter
    of the work."""
    model: str = DEFAULT_MODEL
    """Name of a bundled model, a weights file, or the folder of a run."""
    limit: int = 64
    """Most pictures, evenly spread over the folders; 0 takes all."""
    size: int = 256
    """Side of their centre squares, pixels; a multiple of 4."""
    seed: int = 0
    """Seed of the masks."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(PruneOptions, "prune", words)
    require(options.output.suffix == ".safetensors", f"--output must end in .safetensors, got {options.output}")
    require(bool(options.pictures), "no pictures: name at least one folder")
    from temperfill.evaluate.pruning import prune_weights
    from temperfill.methods.finding import find_weights

    before, after = prune_weights(
        find_weights(options.model),
        options.output,
        options.pictures,
        options.share,
        options.limit,
        options.size,
        options.seed,
    )
    say(
        f"wrote {options.output}: {after / 1e6:.2f} M parameters instead of {before / 1e6:.2f} M; train it now: "
        f"temperfill fine-tune PICTURES --model {options.output} --run-dir RUN"
    )

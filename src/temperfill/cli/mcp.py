"""``temperfill mcp``: tools for programs of language models."""

from dataclasses import dataclass
from pathlib import Path

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DEFAULT_MODEL, Precision


@dataclass(frozen=True)
class McpOptions:
    """Lets programs of language models erase in picture files, by the Model Context Protocol on stdin and stdout.

    The program starts this command by itself; docs/use/programs.md says what to enter there.
    """

    folder: Path = Path()
    """Folder whose files, and those below it, may be read and written; no others."""
    model: str = DEFAULT_MODEL
    """Model that fills unless a program names another that is bundled: its name (see temperfill models), a weights
    file, or the folder of a run."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:N or mps; auto takes a GPU where there is one."""
    precision: Precision = "auto"
    """Arithmetic of the network; auto takes bf16 where the hardware computes in it. fp16 is for CUDA."""
    max_pixels: int = 256_000_000
    """Largest width times height that is opened."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(McpOptions, "mcp", words)
    require(options.folder.is_dir(), f"there is no folder {options.folder}")
    from temperfill.inpainter.models import Models, choices, loader
    from temperfill.mcp_server import create

    models = Models(choices(options.model), loader(options.device, options.precision))
    say(f"tools for the pictures in {options.folder.resolve()}; waiting for a program on stdin")
    create(models, options.folder, options.max_pixels).run("stdio")

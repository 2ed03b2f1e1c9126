"""``temperfill mcp``: tools for programs of language models."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from temperfill.cli.parsing import parse, require, say
from temperfill.options import DEFAULT_MODEL, Precision

if TYPE_CHECKING:
    from temperfill.inpainter import Inpainter


@dataclass(frozen=True)
class McpOptions:
    """Lets programs of language models erase in picture files, by the Model Context Protocol on stdin and stdout.

    The program starts this command by itself; docs/use/programs.md says what to enter there.
    """

    folder: Path = Path()
    """Folder whose files, and those below it, may be read and written; no others."""
    model: str = DEFAULT_MODEL
    """Name of a model or method (see temperfill models), a weights file, or the folder of a run."""
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
    from temperfill.mcp_server import create
    from temperfill.methods.finding import find

    find(options.model)  # before a program waits for it

    def load() -> "Inpainter":
        from temperfill.inpainter import Inpainter

        return Inpainter.from_pretrained(options.model, options.device, options.precision)

    say(f"tools for the pictures in {options.folder.resolve()}; waiting for a program on stdin")
    create(load, options.folder, options.max_pixels).run("stdio")

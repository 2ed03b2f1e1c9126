"""``temperfill sample``: copy the bundled photograph and its mask into a folder."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, say


@dataclass(frozen=True)
class SampleOptions:
    """Copies the bundled photograph and its mask into a folder, to try things with."""

    folder: Annotated[Positional[Path], arg(metavar="FOLDER")]
    """Created if missing; receives photo.jpg and mask.png."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(SampleOptions, "sample", words)
    from importlib import resources

    from temperfill.files import atomic_write

    options.folder.mkdir(parents=True, exist_ok=True)
    for name in ("photo.jpg", "mask.png"):
        content = (resources.files("temperfill") / "samples" / name).read_bytes()
        atomic_write(options.folder / name, lambda file, content=content: file.write(content))  # type: ignore[misc]
        say(f"wrote {options.folder / name}")

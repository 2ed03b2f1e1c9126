"""The files of one result, or of one for each of several seeds."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from temperfill import images
from temperfill.cli.parsing import say


def outputs_for(path: Path, seeds: tuple[int, ...]) -> list[Path]:
    """The files of results: the one that was named, or for several seeds one with each in its name."""
    return [path] if len(seeds) == 1 else [path.with_name(f"{path.stem}-{seed}{path.suffix}") for seed in seeds]


def save_tries(outputs: list[Path], tries: Iterable[images.Picture], quality: int | None) -> None:
    """Writes every result as soon as it is there, and says so where all are the same."""
    first, differ = None, len(outputs) == 1
    for path, result in zip(outputs, tries, strict=True):
        images.save_picture(path, result, quality)
        first = result.pixels if first is None else first
        differ = differ or not np.array_equal(first, result.pixels)
    if not differ:
        say("every seed gives the same here, as nothing was copied; --texture copy copies texture into every hole")

"""``temperfill pack``: write pictures as shards for training."""

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require, say


@dataclass(frozen=True)
class PackOptions:
    """Packs pictures into shards: plain tar files, each with an index, from which training reads at random.

    The same command goes on after an interruption. Train with --data.train SHARDS.
    """

    sources: Annotated[Positional[tuple[str, ...]], arg(metavar="SOURCE [SOURCE ...]")]
    """Folders of pictures, searched recursively, folders of shards, or URLs of either."""
    output: Path
    """Folder for the shards; new, or that of an earlier start of the same command."""
    short_side: int = 256
    """Pixels to which the short side of larger pictures is reduced; smaller ones keep their bytes."""
    quality: int = 95
    """Quality of the JPEG files in which reduced pictures are stored, 1 to 100; colours keep full resolution."""
    keep: bool = False
    """Store the bytes of every picture unchanged, whatever its size."""
    per_shard: int = 5000
    """Pictures in a shard."""
    processes: int = 0
    """Processes that pack, a shard each at a time; 0 takes as many as there are CPU cores."""
    max_corrupt_share: float = 0.01
    """Unreadable pictures are named, counted and left out; above this share of all pictures, packing stops."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(PackOptions, "pack", words)
    require(bool(options.sources), "no pictures to pack: name at least one folder")
    require(options.processes >= 0, f"--processes must not be negative, got {options.processes}")
    share = options.max_corrupt_share
    require(0 <= share <= 1, f"--max-corrupt-share must lie in 0 to 1, got {share:g}")
    from temperfill.data.packing import PackSettings, pack
    from temperfill.progress import reported

    settings = PackSettings(options.short_side, options.quality, options.keep, options.per_shard)
    start = time.monotonic()
    with reported("packing") as on_progress:
        packed = pack(
            options.sources,
            options.output,
            settings,
            processes=options.processes or _cores(),
            max_corrupt_share=share,
            note=say,
            on_progress=on_progress,
        )
    left = f", {len(packed.left)} unreadable ones left out" if packed.left else ""
    say(
        f"{packed.pictures:,} pictures in {packed.shards} shards of {packed.size / 1e6:,.0f} MB in all in "
        f"{options.output}{left}, after {time.monotonic() - start:.1f} s"
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

"""``temperfill datasets``: check public data sets as they are published, and give their splits."""

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from tyro.conf import Positional, arg

from temperfill.cli.parsing import parse, require


@dataclass(frozen=True)
class DatasetsOptions:
    """Lists public data sets; or checks the folder of one, and writes its splits as folders of links.

    The splits serve every command: --data.train SPLITS/train, --data.val SPLITS/val, and SPLITS/test for evaluate.
    """

    name: Annotated[Positional[Literal["paris", "celeba-hq", "places2"] | None], arg(metavar="[NAME]")] = None
    """The data set: paris, celeba-hq or places2; without it all are listed."""
    root: Annotated[Positional[Path | None], arg(metavar="[FOLDER]")] = None
    """Folder in which its archives were unpacked."""
    output: Path | None = None
    """Folder to write the splits to; without it they are only counted."""
    test_size: int = 2000
    """Test pictures to draw if the data set has no test split (paper: 2,000)."""
    seed: int = 0
    """Seed of that draw."""
    debug: bool = False
    """Show the trace of an error."""


def run(words: list[str]) -> None:
    """Runs the command on the words after its name."""
    options = parse(DatasetsOptions, "datasets", words)
    from temperfill.data import public_datasets

    if options.name is None:
        for name, known in public_datasets.DATASETS.items():
            print(f"{name}: {known.title}")
            for text in (f"Folder: {known.layout}", f"Split: {known.paper_split}"):
                print(textwrap.fill(text, 100, initial_indent="  ", subsequent_indent="    "))
        return
    require(options.root is not None, f"give the folder of {options.name} as the second argument")
    require(options.test_size > 0, f"--test-size must be positive, got {options.test_size}")
    require(options.seed >= 0, f"--seed must not be negative, got {options.seed}")
    assert options.root is not None
    splits = public_datasets.splits_of(
        options.name, options.root, public_datasets.Draw(options.seed, options.test_size)
    )
    for split, content in splits.items():
        where = f"  {content}" if isinstance(content, Path) else ""
        print(f"{split:5}  {public_datasets.count(content):>9,} pictures{where}")
    print(public_datasets.DATASETS[options.name].paper_split)
    if options.output is not None:
        public_datasets.write_splits(splits, options.output)
        val = f" --data.val {options.output / 'val'}" if "val" in splits else ""
        print(f"temperfill train base --data.train {options.output / 'train'}{val} --run-dir RUN")

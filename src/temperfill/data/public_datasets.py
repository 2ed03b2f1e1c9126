"""Public data sets in the folders in which they are published, and their splits for training and test.

A split is a folder: a link to the published one, or a folder of links to its pictures. So every command takes it.
"""

import secrets
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from temperfill.data.pictures import list_pictures, open_pictures, walk_pictures

Split = Path | list[Path]
"""A whole folder, or some of its pictures."""


class Draw(NamedTuple):
    """How the test pictures of a data set are drawn, where they are.

    Attributes:
        seed: of the draw.
        size: test pictures.
    """

    seed: int
    size: int


@dataclass(frozen=True)
class PublicDataset:
    """A public data set.

    Attributes:
        title: its name.
        layout: what the folder must hold.
        paper_split: the split of the paper (arXiv 2302.06130, section IV-A), and what of it is made here.
        splits: ``(root, draw)`` to the splits by name; raises ValueError for what is missing.
    """

    title: str
    layout: str
    paper_split: str
    splits: Callable[[Path, Draw], dict[str, Split]]


def splits_of(name: str, root: Path, draw: Draw) -> dict[str, Split]:
    """The splits of a data set in a folder.

    Args:
        name: one of DATASETS.
        root: folder in which the archives were unpacked.
        draw: of the test pictures.

    Raises:
        OSError: no such folder.
        ValueError: something is missing in it, which is named.
    """
    if not root.is_dir():
        raise NotADirectoryError(f"{root} is not a folder")
    return DATASETS[name].splits(root.resolve(), draw)


def count(split: Split) -> int:
    """Pictures of a split."""
    return len(split) if isinstance(split, list) else sum(1 for _ in walk_pictures(open_pictures(split)))


def write_splits(splits: dict[str, Split], output: Path) -> None:
    """Writes a folder with a folder for each split, all of links; whole or not at all.

    Raises:
        OSError: cannot be written, exists already, or the system has no links.
    """
    if output.exists() or output.is_symlink():
        raise FileExistsError(f"{output} exists already; remove it or name another folder")
    folder = output.with_name(f".temperfill-{secrets.token_hex(8)}.partial")
    try:
        folder.mkdir()
        for name, split in splits.items():
            if isinstance(split, Path):
                (folder / name).symlink_to(split, target_is_directory=True)
                continue
            (folder / name).mkdir()
            for path in split:
                (folder / name / path.name).symlink_to(path)
        folder.rename(output)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _first(root: Path, what: str, *candidates: str) -> Path:
    """The first of several folders that is there; raises ValueError naming them."""
    for candidate in candidates:
        if (root / candidate).is_dir():
            return root / candidate
    found = ", ".join(sorted(path.name for path in root.iterdir())[:8]) or "nothing"
    raise ValueError(f"{root} lacks {what}: expected {' or '.join(candidates)}; it holds {found}")


def _paris(root: Path, _: Draw) -> dict[str, Split]:
    train = _first(root, "the training pictures (paris_train_original.zip)", "paris_train_original")
    test = _first(root, "the test pictures (paris_eval.zip)", "paris_eval_gt", "paris_eval/paris_eval_gt")
    return {"train": train, "val": test, "test": test}


def _places2(root: Path, draw: Draw) -> dict[str, Split]:
    root = root / "places365_standard" if (root / "places365_standard").is_dir() else root
    kinds = [f"data_{size}{variant}" for size in ("large", "256") for variant in ("", "_standard", "_challenge")]
    train = _first(root, "the training pictures (train_large_places365standard.tar or its like)", *kinds, "train")
    val = _first(root, "the validation pictures (val_large.tar or its like)", "val_large", "val_256", "val")
    pictures = list_pictures(val)
    if len({path.name for path in pictures}) < len(pictures):
        # The archive with a folder for each scene counts anew in each.
        raise ValueError(f"{val} has pictures of the same name in several folders; use val_large.tar or val_256.tar")
    test = _drawn(pictures, draw.size, np.random.default_rng(draw.seed), f"pictures of {val}")
    chosen = set(test)
    return {"train": train, "val": [path for path in pictures if path not in chosen], "test": test}


def _celeba_hq(root: Path, draw: Draw) -> dict[str, Split]:
    root = root / "CelebAMask-HQ" if (root / "CelebAMask-HQ").is_dir() else root
    folder = _first(root, "the pictures (CelebAMask-HQ.zip)", "CelebA-HQ-img")
    pictures = {int(path.stem): path for path in list_pictures(folder) if path.stem.isdecimal()}
    male = _male(root)
    unknown = sorted(pictures.keys() - male.keys())
    if unknown:
        raise ValueError(f"the attribute file in {root} says nothing of {pictures[unknown[0]].name}; is it complete?")
    if draw.size % 2:
        raise ValueError(f"a gender-balanced test set has an even number of pictures, got {draw.size}")
    rng = np.random.default_rng(draw.seed)
    test = []
    for wanted, what in ((True, "male"), (False, "female")):
        group = [pictures[number] for number in sorted(pictures) if male[number] is wanted]
        test += _drawn(group, draw.size // 2, rng, f"{what} faces in {folder}")
    chosen = set(test)
    return {"train": [path for _, path in sorted(pictures.items()) if path not in chosen], "test": test}


def _drawn(pictures: list[Path], size: int, rng: np.random.Generator, what: str) -> list[Path]:
    if size > len(pictures):
        raise ValueError(f"{size} test pictures were to be drawn of {len(pictures)} {what}; take a smaller test size")
    return [pictures[i] for i in sorted(rng.permutation(len(pictures))[:size].tolist())]


def _male(root: Path) -> dict[int, bool]:
    """Which faces of CelebA-HQ are labelled male, by number."""
    own, celeba = root / "CelebAMask-HQ-attribute-anno.txt", root / "list_attr_celeba.txt"
    mapping = root / "CelebA-HQ-to-CelebA-mapping.txt"
    if own.is_file():
        return {int(Path(name).stem): male for name, male in _attribute(own, "Male").items()}
    if not (celeba.is_file() and mapping.is_file()):
        raise ValueError(
            f"{root} lacks the attributes: expected {own.name} (of CelebAMask-HQ.zip), or {celeba.name} (of CelebA) "
            f"with {mapping.name}"
        )
    labels = _attribute(celeba, "Male")
    rows = [line.split() for line in mapping.read_text(encoding="utf-8").splitlines()[1:] if line.strip()]
    try:
        return {int(number): labels[name] for number, _, name in rows}
    except (ValueError, KeyError) as error:
        raise ValueError(f"{mapping} does not fit {celeba}: {error}") from None


def _attribute(path: Path, name: str) -> dict[str, bool]:
    """A column of an attribute file: a line with the number of pictures, one with names, then a file and 1 or -1s."""
    lines = [line.split() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    try:
        column = lines[1].index(name) + 1
        found = {words[0]: {"1": True, "-1": False}[words[column]] for words in lines[2:]}
        complete = len(found) == int(lines[0][0])
    except (ValueError, LookupError) as error:
        raise ValueError(f"{path} is no attribute file of CelebA: {error}") from None
    if not complete:
        raise ValueError(f"{path} is cut off: {len(found)} pictures, {lines[0][0]} announced")
    return found


DATASETS = {
    "paris": PublicDataset(
        "Paris StreetView",
        "paris_train_original/ (14,900 JPG) and paris_eval_gt/ (100 PNG), the latter also in paris_eval/",
        "The paper's: 14,900 for training, and the 100 others for validation and test.",
        _paris,
    ),
    "celeba-hq": PublicDataset(
        "CelebA-HQ",
        "CelebA-HQ-img/ (0.jpg to 29999.jpg) and CelebAMask-HQ-attribute-anno.txt, or list_attr_celeba.txt of CelebA "
        "with CelebA-HQ-to-CelebA-mapping.txt",
        "As the paper's, 1,000 male and 1,000 female faces drawn at random for test and 28,000 for training, but by "
        "this draw: the paper's list is not published. No validation: name a folder of your own for early stopping.",
        _celeba_hq,
    ),
    "places2": PublicDataset(
        "Places2 (Places365-Standard or -Challenge)",
        "data_large/ or data_256/ (also with _standard or _challenge behind it; the standard set has 1,803,460) "
        "and val_large/ or val_256/ (36,500), or places365_standard/ with train/ and val/",
        "As the paper's, the whole training set, and 2,000 pictures drawn of the 36,500 for validation as test, but by "
        "this draw: the paper's list is not published. The other 34,500 are for validation. (For its Table IV the "
        "paper names all 36,500.)",
        _places2,
    ),
}
"""Public data sets by the name that the command line takes."""

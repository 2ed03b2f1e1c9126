"""From what a user names (a bundled model, a method, a weights file, a run folder) to what is loaded; without torch."""

import difflib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from temperfill.methods.table import METHODS

SUFFIX = ".safetensors"
CHECKPOINT = "generator.safetensors"
"""Weights file of a run folder."""
OURS, DEFAULT = "ours", "base"
"""Our method, and the bundled weights that it takes when none are named."""


@dataclass(frozen=True)
class Found:
    """What a name stands for.

    Attributes:
        label: in reports; a file called generator is labelled by its folder.
        path: of the weights; None for a method named without any.
        method: name of the method, where no weights say it; empty otherwise.
        is_bundled: whether the weights come with this package.
    """

    label: str
    path: Path | None
    method: str = ""
    is_bundled: bool = False


def bundled() -> dict[str, Path]:
    """Names and files of the weights that come with the package."""
    folder = resources.files("temperfill") / "weights"
    if not folder.is_dir():
        return {}
    found = (Path(str(entry)) for entry in folder.iterdir() if entry.name.endswith(SUFFIX))
    return {path.stem: path for path in sorted(found)}


def find(name: str | Path) -> Found:
    """Finds a model or method; a weights file is not opened.

    Args:
        name: of bundled weights or of a method, or the path of a weights file or of a run folder; a Path is never taken
            for a name.

    Raises:
        FileNotFoundError: a run folder without a checkpoint.
        ValueError: neither a name nor a path; tells the nearest name.
    """
    weights = bundled()
    if isinstance(name, str):
        if name in weights:
            return Found(name, weights[name], is_bundled=True)
        if name == OURS and DEFAULT in weights:
            return Found(name, weights[DEFAULT], is_bundled=True)
        if name in METHODS:
            return Found(name, None, name)
    path = Path(name)
    if path.is_dir():
        path = checkpoint_of(path)
    elif not (isinstance(name, Path) or name.endswith(SUFFIX) or path.is_file()):
        names = list(dict.fromkeys([*weights, *METHODS]))
        near = difflib.get_close_matches(name, names, 1)
        hint = f", did you mean {near[0]}?" if near else ";"
        raise ValueError(f"unknown model {name!r}{hint} known are {', '.join(names)}, {SUFFIX} files and run folders")
    return Found(path.resolve().parent.name if path.stem == "generator" else path.stem, path)


def find_weights(name: str | Path) -> Path:
    """The weights file of a model, which is not opened.

    Args:
        name: as for :func:`find`.

    Raises:
        FileNotFoundError: a run folder without a checkpoint.
        ValueError: neither a name nor a path, or a method named without weights.
    """
    found = find(name)
    if found.path is None:
        raise ValueError(
            f"the method {found.method} is no model with weights; name a bundled model, a weights file or a run folder"
        )
    return found.path


def checkpoint_of(folder: Path) -> Path:
    """The weights file in a run folder.

    Raises:
        FileNotFoundError: there is none.
    """
    path = folder / CHECKPOINT
    if not path.is_file():
        raise FileNotFoundError(
            f"the run folder {folder} has no checkpoint {path.name}; train it, or name another folder"
        )
    return path

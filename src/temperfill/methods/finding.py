"""From what a user names (a bundled model, a method, a weights file, a run folder) to what is loaded; without torch."""

import difflib
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from temperfill.extras import how_to_add
from temperfill.methods.table import METHODS
from temperfill.options import DEFAULT_MODEL

SUFFIX = ".safetensors"
CHECKPOINT = "generator.safetensors"
"""Weights file of a run folder."""
OURS = "ours"
"""Our method, which takes the default model where no weights are named."""


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
        name: of bundled weights or of a method, the path of a weights file or of a folder with one, or the name
            ``user/repository`` or ``user/repository@revision`` of a model on the Hugging Face hub, which is fetched
            unless it is there already. A Path is never taken for a name.

    Raises:
        FileNotFoundError: a folder without a checkpoint, or nothing of this name on the hub.
        ValueError: neither a name nor a path, and tells the nearest name; or a name on the hub without the package
            that fetches it.
    """
    weights = bundled()
    if isinstance(name, str):
        if name in weights:
            return Found(name, weights[name], is_bundled=True)
        if name == OURS and DEFAULT_MODEL in weights:
            return Found(name, weights[DEFAULT_MODEL], is_bundled=True)
        if name in METHODS:
            return Found(name, None, name)
    path = Path(name)
    if path.is_dir():
        path = checkpoint_of(path)
    elif isinstance(name, str) and _is_on_hub(name):
        return Found(name.partition("/")[2], _fetch(name))
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


def _is_on_hub(name: str) -> bool:
    """Whether a name has the form of those on the hub and cannot be meant as a path: no such folder is here."""
    written = re.fullmatch(r"(\w[\w.-]*)/\w[\w.-]*(@[\w./-]+)?", name)
    return written is not None and not name.endswith(SUFFIX) and not Path(written[1]).exists()


def _fetch(name: str) -> Path:
    """The weights file of a model on the hub, from the cache of ``huggingface_hub`` where it is there."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import HfHubHTTPError
    except ImportError:
        remedy = f"the package of the extra hub fetches it: {how_to_add('hub')}"
        raise ValueError(f"{name} is no path here; if it is a model on the Hugging Face hub, {remedy}") from None
    repository, _, revision = name.partition("@")
    try:
        return Path(hf_hub_download(repository, CHECKPOINT, revision=revision or None))
    except (OSError, ValueError, HfHubHTTPError) as error:
        reason = str(error).strip().splitlines()[0]
        raise FileNotFoundError(f"no {CHECKPOINT} of {name} could be had from the Hugging Face hub: {reason}") from None


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

"""The methods of an evaluation, loaded under their labels."""

import hashlib
import importlib.metadata
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from temperfill import methods
from temperfill.inpainter import load_method
from temperfill.methods.contract import ArrayMethod, Method
from temperfill.methods.finding import OURS, Found
from temperfill.systems.table import load_run

_TAKEN = ("figures", "masks", "runs", "sheets", "truth")  # folders of a report, and a column of its sheets
_LABEL = re.compile(r"[\w.+-]*\w[\w.+-]*")
_LIBRARIES = ("opencv-python-headless", "opencv-python", "scikit-image", "PyPatchMatch")


@dataclass(frozen=True)
class Entrant:
    """A loaded method under its label; a method that was trained several times is one entrant for each run.

    Attributes:
        label: in tables.
        method: what fills holes; None where composites that others made are measured.
        source: name of the method, or path of the weights.
        identity: what its composites depend on besides picture and mask: hash of the weights, or versions of libraries.
        baseline: whether it is a method of comparison.
        trained: whether it has weights.
        run: name of the training run; empty where there is one only.
        lined: whether the method is shown the sketch of the truth that the metric lines compares with.
        given: folder of composites that others made.
        weights: which ones are meant, for tables: bundled, of a run, of a file; empty without any.
    """

    label: str
    method: Method | ArrayMethod | None
    source: str
    identity: str
    baseline: bool
    trained: bool = False
    run: str = ""
    lined: bool = False
    given: Path | None = None
    weights: str = ""

    @property
    def folder(self) -> str:
        """Of its composites, below that of the report."""
        return f"{self.label}/{self.run}" if self.run else self.label


def load_entrants(names: Sequence[str | tuple[str, Sequence[Path]]], device: str) -> list[Entrant]:
    """Loads methods.

    Args:
        names: of methods or bundled weights, or paths of weights files or run folders, or LABEL=PATH,PATH with the runs
            of one method (or the pair of label and paths). Without a label, a file called generator is labelled by its
            folder.
        device: of the networks.

    Raises:
        OSError: a file is missing.
        ValueError: no names, an unknown one, a damaged file, or two with one label.
    """
    if not names:
        raise ValueError("no methods: name at least one")
    loaded: dict[str, list[Entrant]] = {}
    for name in names:
        label, sources = name if isinstance(name, tuple) else _split(name)
        found = [_entrant(str(source), device, label) for source in sources]
        label = found[0].label
        if label in (*loaded, *_TAKEN) or not _LABEL.fullmatch(label):
            raise ValueError(f"method {name}: its label would be {label!r}, which is taken or unfit; rename the file")
        loaded[label] = _as_runs(found)
    return [entrant for runs in loaded.values() for entrant in runs]


def given_entrants(composites: Sequence[str]) -> list[Entrant]:
    """Composites that others made, as methods of comparison.

    Args:
        composites: NAME=FOLDER, with GROUP/KIND/STEM.png in FOLDER as reports have them.

    Raises:
        OSError: no such folder.
        ValueError: not of that form, or a name that is taken or unfit.
    """
    found: dict[str, Entrant] = {}
    for text in composites:
        label, _, folder = text.partition("=")
        if not label or not folder:
            raise ValueError(f"composites are named as NAME=FOLDER, got {text!r}")
        if label in (*found, *_TAKEN) or not _LABEL.fullmatch(label):
            raise ValueError(f"composites {text}: the name {label!r} is taken or unfit; choose another")
        if not Path(folder).is_dir():
            raise NotADirectoryError(f"no folder of composites at {folder}")
        found[label] = Entrant(label, None, folder, "composites as given", baseline=True, given=Path(folder))
    return list(found.values())


def _split(name: str) -> tuple[str, Sequence[str]]:
    """Label, empty if there is none, and sources."""
    label, _, sources = name.partition("=")
    # A path may have such a sign.
    return ("", [name]) if not sources or Path(name).exists() else (label, sources.split(","))


def _entrant(name: str, device: str, label: str) -> Entrant:
    found = methods.find(name)
    method = load_method(name, device)
    if found.path is None:
        version = importlib.metadata.version
        libraries = [
            f"{d} {version(d)}" for d in _LIBRARIES if any(True for _ in importlib.metadata.distributions(name=d))
        ]
        return Entrant(label or name, method, name, ", ".join(libraries), baseline=True)
    source = str(found.path) if Path(name).is_dir() and not found.is_bundled else name
    identity = f"sha256 {hashlib.sha256(found.path.read_bytes()).hexdigest()}"
    label, baseline = label or found.label, method.name != OURS
    return Entrant(label, method, source, identity, baseline, trained=True, weights=_weights(found, name, label))


def _weights(found: Found, name: str, label: str) -> str:
    """Which weights a label stands for, as tables say it."""
    path = found.path or Path(name)
    if found.is_bundled:
        return f"bundled {path.stem}"
    what, own = ("run", path.resolve().parent.name) if path.stem == "generator" else ("file", path.stem)
    return what if own == label else f"{what} {own}"


def _as_runs(found: list[Entrant]) -> list[Entrant]:
    """Runs of one method under the names of their seeds, where they tell them, or of their folders."""
    if len(found) == 1:
        return found
    if not all(entrant.trained for entrant in found):
        raise ValueError(f"{found[0].label}: several sources of one method must be trained weights")
    folders = [Path(entrant.source).resolve().parent for entrant in found]
    names = [_seed(folder / "config.json") or folder.name for folder in folders]
    if len(set(names)) < len(names):
        names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f"{found[0].label}: its runs need folders of different names, got {', '.join(names)}")
    several = f"{len(found)} runs"
    return [replace(entrant, run=name, weights=several) for entrant, name in zip(found, names, strict=True)]


def _seed(path: Path) -> str:
    return f"seed-{load_run(path).seed}" if path.is_file() else ""

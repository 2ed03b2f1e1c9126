"""The methods of an evaluation, and their composites on the disk."""

import hashlib
import importlib.metadata
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from temperfill import __version__, images, methods
from temperfill.config import load_run
from temperfill.evaluate.inputs import Bytes, Hole
from temperfill.inpainter import Inpainter, fill, load_method
from temperfill.methods.contract import Method
from temperfill.methods.finding import OURS

_TAKEN = ("figures", "masks", "runs", "sheets", "truth")  # folders of a report, and a column of its sheets
_LABEL = re.compile(r"[\w.+-]*\w[\w.+-]*")
_LIBRARIES = ("opencv-python-headless", "opencv-python", "scikit-image", "PyPatchMatch")


@dataclass(frozen=True)
class Contestant:
    """A loaded method under its label; a method that was trained several times is one contestant for each run.

    Attributes:
        label: in tables.
        method: what fills holes.
        source: name of the method, or path of the weights.
        identity: what its composites depend on besides picture and mask: hash of the weights, or versions of libraries.
        baseline: whether it is a method of comparison.
        trained: whether it has weights.
        run: name of the training run; empty where there is one only.
        lined: whether the method is shown the sketch of the truth that the figure lines compares with.
    """

    label: str
    method: Method
    source: str
    identity: str
    baseline: bool
    trained: bool = False
    run: str = ""
    lined: bool = False

    @property
    def folder(self) -> str:
        """Of its composites, below that of the report."""
        return f"{self.label}/{self.run}" if self.run else self.label


def contestants(names: Sequence[str | tuple[str, Sequence[Path]]], device: str) -> list[Contestant]:
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
    loaded: dict[str, list[Contestant]] = {}
    for name in names:
        label, sources = name if isinstance(name, tuple) else _split(name)
        found = [_contestant(str(source), device, label) for source in sources]
        label = found[0].label
        if label in (*loaded, *_TAKEN) or not _LABEL.fullmatch(label):
            raise ValueError(f"method {name}: its label would be {label!r}, which is taken or unfit; rename the file")
        loaded[label] = _as_runs(found)
    return [contestant for runs in loaded.values() for contestant in runs]


def _split(name: str) -> tuple[str, Sequence[str]]:
    """Label, empty if there is none, and sources."""
    label, _, sources = name.partition("=")
    # A path may have such a sign.
    return ("", [name]) if not sources or Path(name).exists() else (label, sources.split(","))


def _contestant(name: str, device: str, label: str) -> Contestant:
    found = methods.find(name, [*methods.METHODS, *methods.TRAINED])
    method = load_method(name, device)
    if found.path is None:
        version = importlib.metadata.version
        libraries = [
            f"{d} {version(d)}" for d in _LIBRARIES if any(True for _ in importlib.metadata.distributions(name=d))
        ]
        return Contestant(label or name, method, name, ", ".join(libraries), baseline=True)
    source = str(found.path) if Path(name).is_dir() and name not in (*methods.bundled(), OURS) else name
    identity = f"sha256 {_sha256(found.path.read_bytes())}"
    return Contestant(label or found.label, method, source, identity, method.name != OURS, trained=True)


def _as_runs(found: list[Contestant]) -> list[Contestant]:
    """Runs of one method under the names of their seeds, where they tell them, or of their folders."""
    if len(found) == 1:
        return found
    if not all(contestant.trained for contestant in found):
        raise ValueError(f"{found[0].label}: several sources of one method must be trained weights")
    folders = [Path(contestant.source).resolve().parent for contestant in found]
    names = [_seed(folder / "config.json") or folder.name for folder in folders]
    if len(set(names)) < len(names):
        names = [folder.name for folder in folders]
    if len(set(names)) < len(names):
        raise ValueError(f"{found[0].label}: its runs need folders of different names, got {', '.join(names)}")
    return [replace(contestant, run=name) for contestant, name in zip(found, names, strict=True)]


def _seed(path: Path) -> str:
    return f"seed-{load_run(path).seed}" if path.is_file() else ""


class Composites:
    """The composites of one method on the disk, each with a key that says what it was made from.

    Args:
        folder: of the method.
        entrant: the method.
        device: of the tensors that it gets.
        filling: as in :class:`temperfill.config.EvaluationConfig`.
    """

    def __init__(self, folder: Path, entrant: Contestant, device: str, filling: str = "network") -> None:
        self.folder = folder
        self.entrant = entrant
        self.device = device
        wanted = filling == "inpaint" and entrant.trained
        self.inpainter = Inpainter(entrant.method, device, "fp32") if wanted else None
        self.log = folder / "composites.jsonl"
        self.entries: dict[str, tuple[str, str]] = {}
        for line in self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []:
            try:
                entry = json.loads(line)
                self.entries[entry["place"]] = (entry["key"], entry["sha256"])
            except (ValueError, KeyError, TypeError):
                continue  # cut short when the process was killed: that composite is made again

    def make(self, place: str, truth: Bytes, hole: Hole, lines: Hole | None = None) -> Bytes:
        """The stored composite if it was made from the same things and is undamaged, else a new one.

        Args:
            place: group/kind/stem.
            truth: (H, W, 3).
            hole: (H, W), True = missing.
            lines: (H, W), the sketch that the method is shown inside the hole, or None.

        Raises:
            OSError: cannot be written.
            ValueError: the method fails.
        """
        parts = [
            self.entrant.identity.encode(),
            f"{__version__} {self.device}".encode(),
            str(truth.shape).encode(),
            truth.tobytes(),
            np.packbits(hole).tobytes(),
        ]
        if lines is not None:
            parts.append(np.packbits(lines & hole).tobytes())
        if self.inpainter is not None:
            parts.append(b"inpaint")
        key = _sha256(b"\0".join(parts))
        path = self.folder / f"{place}.png"
        stored_key, digest = self.entries.get(place, ("", ""))
        if stored_key == key and path.is_file() and _sha256(path.read_bytes()) == digest:
            return images.read_rgb(path)
        made = self._fill(truth, hole, lines)
        path.parent.mkdir(parents=True, exist_ok=True)
        images.save_picture(path, images.open_picture(made))
        # After the picture, so that a key never stands for an older one; a line first ends what a kill left.
        entry = {"place": place, "key": key, "sha256": _sha256(path.read_bytes())}
        with self.log.open("a", encoding="utf-8") as file:
            file.write("\n" + json.dumps(entry))
        return made

    def _fill(self, truth: Bytes, hole: Hole, lines: Hole | None) -> Bytes:
        if self.inpainter is not None:
            found: Bytes = self.inpainter.complete(images.open_picture(truth), hole, lines).pixels
            return found
        mask = _plane(hole, self.device)
        shown = None if lines is None else _plane(lines, self.device)
        filled = fill(self.entrant.method, tensor(truth, self.device), mask, shown)
        made: Bytes = (filled[0].double() * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
        return made


def tensor(pixels: Bytes, device: torch.device | str = "cpu") -> Tensor:
    """(1, 3, H, W) in [0, 1] of (H, W, 3) bytes."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device).float() / 255


def _plane(pixels: Hole, device: torch.device | str) -> Tensor:
    """(1, 1, H, W) of (H, W)."""
    return torch.from_numpy(pixels)[None, None].to(device).float()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

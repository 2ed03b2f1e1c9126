"""Composites of an evaluation on the disk, each made once from the same picture, mask and method."""

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from temperfill import __version__, images
from temperfill.evaluate.entrants import Entrant
from temperfill.evaluate.inputs import Bytes, Hole, Item
from temperfill.inpainter import Inpainter, fill


class Composites:
    """The composites of one method on the disk, each with a key that says what it was made from.

    Args:
        folder: of the method.
        entrant: the method.
        device: of the tensors that it gets.
        filling: as in :class:`temperfill.config.EvaluationConfig`.
    """

    def __init__(self, folder: Path, entrant: Entrant, device: str, filling: str = "network") -> None:
        self.folder = folder
        self.entrant = entrant
        self.device = device
        wanted = filling == "inpaint" and entrant.trained
        self.inpainter = Inpainter(entrant.method, device, "fp32") if wanted and entrant.method is not None else None
        self.log = folder / "composites.jsonl"
        self.entries: dict[str, tuple[str, str]] = {}
        for line in self.log.read_text(encoding="utf-8").splitlines() if self.log.is_file() else []:
            try:
                entry = json.loads(line)
                self.entries[entry["place"]] = (entry["key"], entry["sha256"])
            except (ValueError, KeyError, TypeError, RecursionError):
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
        if self.entrant.given is not None:
            return images.read_rgb(given_path(self.entrant, place))
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
        assert self.entrant.method is not None
        if self.inpainter is not None:
            found: Bytes = self.inpainter.complete(images.open_picture(truth), hole, lines).pixels
            return found
        mask = _plane(hole, self.device)
        shown = None if lines is None else _plane(lines, self.device)
        filled = fill(self.entrant.method, tensor(truth, self.device), mask, shown)
        made: Bytes = (filled[0].double() * 255).round().byte().permute(1, 2, 0).contiguous().cpu().numpy()
        return made


def check_given(given: Sequence[Entrant], items: Sequence[Item], size: int) -> None:
    """That composites of others are all there, and of the size of the masks.

    Args:
        given: entrants with folders.
        items: pictures with their masks.
        size: of the squares, pixels.

    Raises:
        OSError: one is missing.
        ValueError: one is damaged or of another size.
    """
    for entrant in given:
        for item in items:
            for group in item.masks:
                path = given_path(entrant, f"{group}/{item.kind}/{item.path.stem}")
                if not path.is_file():
                    raise FileNotFoundError(
                        f"no composite {path}; {entrant.source} must hold GROUP/KIND/STEM.png for every mask"
                    )
                with path.open("rb") as file:
                    found = images.read_header(file, str(path)).size
                if found != (size, size):
                    wanted = f"not {size}x{size}: fill the squares that the report measures"
                    raise ValueError(f"{path} is {found[1]}x{found[0]}, {wanted}")


def given_path(entrant: Entrant, place: str) -> Path:
    """The file of a composite that others made."""
    return (entrant.given or Path()) / f"{place}.png"


def tensor(pixels: Bytes, device: torch.device | str = "cpu") -> Tensor:
    """(1, 3, H, W) in [0, 1] of (H, W, 3) bytes."""
    return torch.from_numpy(np.ascontiguousarray(pixels.transpose(2, 0, 1)))[None].to(device).float() / 255


def _plane(pixels: Hole, device: torch.device | str) -> Tensor:
    """(1, 1, H, W) of (H, W)."""
    return torch.from_numpy(pixels)[None, None].to(device).float()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()

"""What a session is told."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from . import ROOT


@dataclass(frozen=True)
class Options:
    """Options of ``run``.

    Attributes:
        inputs: folder from ``prepare``.
        output: folder for what is brought back.
        seconds: of training.
        limit: seconds of the whole session.
        before: folder of an earlier session, to go on from.
        total: seconds of the whole training; 0 for those of this and earlier sessions.
        weights: that training begins from, and that keep their terms of use.
        recipe: losses and networks.
        device: ``cpu`` or ``cuda``.
        rate: highest learning rate.
        batch_size: pictures in a step; 0 chooses by memory.
        crop_size: pixels; 0 takes that of the pictures.
        workers: processes that draw.
        compile: ``auto`` or ``no``.
        save_every: seconds between saves.
        parts: which, in their own order.
    """

    inputs: Path
    output: Path
    seconds: float
    limit: float
    before: Path | None = None
    total: float = 0.0
    weights: Path = ROOT / "src" / "temperfill" / "weights" / "base.safetensors"
    recipe: Path = ROOT / "docs" / "train" / "recipes" / "base-10.json"
    device: str = "cuda"
    rate: float = 3e-4
    batch_size: int = 0
    crop_size: int = 0
    workers: int = 8
    compile: str = "auto"
    save_every: float = 60.0
    parts: tuple[str, ...] = ("check", "test", "train", "judge", "speed")

    def write(self, path: Path) -> None:
        """Writes them as JSON."""
        path.write_text(json.dumps(asdict(self), default=str), encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Options":
        """Reads what ``write`` wrote."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        for name in ("inputs", "output", "before", "weights", "recipe"):
            found[name] = None if found[name] is None else Path(found[name])
        return cls(**found | {"parts": tuple(found["parts"])})

"""Fills the bundled sample from Python, with a model that is loaded once: `python examples/fill_photo.py DIR`."""

import sys
from importlib.resources import files
from pathlib import Path

import numpy as np
from PIL import Image

from temperfill import Inpainter


def main(folder: Path) -> None:
    """Writes two results: one for the bundled mask, one for a mask made as an array."""
    folder.mkdir(parents=True, exist_ok=True)
    sample = files("temperfill") / "samples"
    with (sample / "photo.jpg").open("rb") as photo_file, (sample / "mask.png").open("rb") as mask_file:
        photo, mask = Image.open(photo_file).convert("RGB"), Image.open(mask_file).convert("L")

    inpainter = Inpainter.from_pretrained("base")
    inpainter(photo, mask).save(folder / "filled.png")

    hole = np.zeros((photo.height, photo.width), dtype=bool)
    hole[340:430, 125:215] = True  # the badge; True = missing
    inpainter(np.asarray(photo), hole).save(folder / "without_badge.png")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Draws docs/images/sketch-steps.png: `python tools/sketch_steps.py docs/images`.

The way from a photograph to its sketch (the paper's Fig. 11), by the bundled edge network. The photograph is
skimage.data.coffee(), in the public domain.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import coffee

from temperfill import sketch

GAP = 6  # pixels between the pictures


def main(folder: Path) -> None:
    """Writes sketch-steps.png into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = coffee()
    steps = sketch.sketch_steps(sketch.load_detector()(photo.astype(np.float32) / 255))
    planes = [np.repeat((np.float32(step) * 255).round().astype(np.uint8)[..., None], 3, 2) for step in steps]
    sheet = Image.new("RGB", (5 * (photo.shape[1] // 2 + GAP) - GAP, photo.shape[0] // 2), "white")
    for column, pixels in enumerate([photo, *planes]):
        small = Image.fromarray(pixels).resize((photo.shape[1] // 2, photo.shape[0] // 2), Image.Resampling.LANCZOS)
        sheet.paste(small, (column * (photo.shape[1] // 2 + GAP), 0))
    sheet.save(folder / "sketch-steps.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

"""Draws the picture at the top of README: `python tools/before_after.py docs/images`.

Photograph, hole and result of the default model stand side by side, made through the public interface.
"""

import sys
from importlib.resources import files
from pathlib import Path

from PIL import Image

import temperfill

GAP = 8  # pixels between the pictures
HOLE = (255, 255, 255)


def main(folder: Path) -> None:
    """Writes before-after.png into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    sample = files("temperfill") / "samples"
    with (sample / "photo.jpg").open("rb") as photo_file, (sample / "mask.png").open("rb") as mask_file:
        photo, mask = Image.open(photo_file).convert("RGB"), Image.open(mask_file).convert("L")
    masked = Image.composite(Image.new("RGB", photo.size, HOLE), photo, mask)
    result = temperfill.inpaint(photo, mask)
    sheet = Image.new("RGB", (3 * photo.width + 2 * GAP, photo.height), HOLE)
    for column, picture in enumerate((photo, masked, result)):
        sheet.paste(picture, (column * (photo.width + GAP), 0))
    sheet.save(folder / "before-after.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

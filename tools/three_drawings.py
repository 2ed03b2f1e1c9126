"""Draws docs/images/drawings.png: `python tools/three_drawings.py docs/images [MODEL]`.

One hole in one photograph is filled without lines, and along three drawings (the paper's Fig. 12). The photograph is
skimage.data.astronaut(), by NASA, in the public domain.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage.data import astronaut

from temperfill import Inpainter

HOLE = (150, 8, 305, 78)  # left, top, right, bottom: the hair, and what is behind it
DRAWINGS = (
    [(156, 78), (158, 55), (185, 28), (230, 16), (270, 28), (298, 60), (300, 78)],  # as it was
    [(156, 78), (170, 62), (200, 52), (230, 48), (265, 54), (290, 66), (300, 78)],
    [(156, 78), (165, 30), (195, 14), (228, 44), (262, 14), (292, 30), (300, 78)],
)
CROP = (110, 0, 350, 200)
GAP = 6  # pixels between the pictures
INK = (20, 20, 20)


def main(folder: Path, model: str = "base") -> None:
    """Writes drawings.png into the folder: above what was given, below what came of it."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = Image.fromarray(astronaut())
    mask = Image.new("L", photo.size)
    ImageDraw.Draw(mask).rectangle(HOLE, fill=255)
    inpainter = Inpainter.from_pretrained(model)
    empty = Image.new("RGB", photo.size, "white")
    columns = [(Image.composite(empty, photo, mask), inpainter(photo, mask))]
    for points in DRAWINGS:
        sketch = Image.new("L", photo.size)
        ImageDraw.Draw(sketch).line(points, fill=255, width=3, joint="curve")
        paper = Image.composite(empty, photo, mask)
        paper.paste(INK, mask=Image.fromarray(np.minimum(np.asarray(sketch), np.asarray(mask))))
        columns.append((paper, inpainter(photo, mask, sketch=sketch)))
    width, height = CROP[2] - CROP[0], CROP[3] - CROP[1]
    sheet = Image.new("RGB", (len(columns) * (width + GAP) - GAP, 2 * height + GAP), "white")
    for column, pictures in enumerate(columns):
        for row, picture in enumerate(pictures):
            sheet.paste(picture.crop(CROP), (column * (width + GAP), row * (height + GAP)))
    sheet.save(folder / "drawings.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

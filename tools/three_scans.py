"""Draws docs/images/dust.png: `python -m tools.three_scans docs/images`.

From left to right: a photograph with planted dust, the marks that are found, and what the filling makes of it. The
photograph is skimage.data.astronaut(), by NASA, in the public domain.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image
from skimage.data import astronaut

from temperfill import Inpainter
from temperfill.dust import DustFinder
from tools.dust.planting import plant, saved

CROP = np.s_[0:330, 90:360]
GAP = 6  # pixels between the pictures
RED = (255, 0, 0)


def main(folder: Path, model: str = "base") -> None:
    """Writes dust.png into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    planted = plant(np.ascontiguousarray(astronaut()[CROP]), np.random.default_rng(1), specks=16, lines=3)
    scan = saved(planted[0])
    dust = DustFinder()(scan)
    shown = scan.copy()
    shown[dust.mask] = RED
    filled = Inpainter.from_pretrained(model)(Image.fromarray(scan), Image.fromarray(dust.mask.astype(np.uint8) * 255))
    height, width = dust.mask.shape
    sheet = Image.new("RGB", (3 * width + 2 * GAP, height), "white")
    for column, picture in enumerate((Image.fromarray(scan), Image.fromarray(shown), filled)):
        sheet.paste(picture, (column * (width + GAP), 0))
    sheet.save(folder / "dust.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])

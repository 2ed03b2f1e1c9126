"""Makes the bundled sample, a photograph and a mask around one object in it: `python tools/make_sample.py DIR`.

The photograph is the astronaut that scikit-image carries; the mask covers the model of the space shuttle behind her.
It also shows what a mask is: a grey picture of the photograph's size, white where pixels are to be replaced.
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw
from skimage import data

# Corners of the outline, (x, y) in pixels from the top left, about six pixels outside the object: what is left of its
# soft edge would be known pixels, which are kept.
OUTLINE = [
    *[(392, -1), (432, -1), (446, 30), (460, 40), (465, 62), (465, 190), (469, 212), (465, 240), (472, 260)],
    *[(484, 268), (482, 284), (446, 289), (414, 297), (362, 295), (358, 280), (361, 262), (372, 236), (350, 231)],
    *[(347, 212), (360, 190), (371, 178), (371, 110), (374, 60), (380, 38), (389, 32)],
]


def main(folder: Path) -> None:
    """Writes photo.jpg and mask.png into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    photo = Image.fromarray(data.astronaut())
    photo.save(folder / "photo.jpg", quality=92)
    mask = Image.new("L", photo.size, 0)
    ImageDraw.Draw(mask).polygon(OUTLINE, fill=255)
    mask.save(folder / "mask.png", optimize=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

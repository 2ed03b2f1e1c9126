"""Makes the HEIC files of the tests: python tests/heic/make.py

Needs pillow-heif, whose wheels bundle an encoder under the GPL: install it elsewhere than in the environment of the
package (the files were made with pillow-heif 1.8.1). What reads them in the tests is pi-heif, of the extra heif.
"""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageCms

FOLDER = Path(__file__).parent
HEIGHT, WIDTH = 40, 56
MAKER = "maker of phones"


def upright() -> NDArray[np.uint8]:
    """What is seen of every file: colours that differ in all directions, smooth enough to survive the encoder."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return np.stack([4 * columns + 20, 5 * rows + 20, 100 + columns - rows], 2).astype(np.uint8)


def opacity() -> NDArray[np.uint8]:
    """The opacity of alpha.heic."""
    return np.broadcast_to((4 * np.arange(WIDTH)).astype(np.uint8), (HEIGHT, WIDTH))


def profile() -> bytes:
    """The colour profile of phone.heic."""
    data = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return data[:24] + bytes(12) + data[36:]  # without the time at which it was made


def main() -> None:
    import pillow_heif  # type: ignore[import-not-found]

    pillow_heif.register_heif_opener()
    picture = Image.fromarray(upright())

    def save(name: str, image: Any, **options: Any) -> None:
        image.save(FOLDER / name, "HEIF", quality=90, chroma=444, **options)

    # As phones do: stored lying, with a rotation in the container, and with the orientation in EXIF too.
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation], exif[ExifTags.Base.Make] = 6, MAKER
    exif.get_ifd(ExifTags.IFD.GPSInfo)[ExifTags.GPS.GPSLatitudeRef] = "N"
    lying = picture.transpose(Image.Transpose.ROTATE_90)
    save("phone.heic", lying, exif=exif.tobytes(), icc_profile=profile())
    save("alpha.heic", Image.fromarray(np.dstack([upright(), opacity()])))
    save("grey.heic", picture.convert("L"))
    other = picture.transpose(Image.Transpose.ROTATE_180)
    save("two.heic", other, save_all=True, append_images=[picture], primary_index=1)
    deep = pillow_heif.from_bytes("RGB;16", (WIDTH, HEIGHT), (upright().astype(np.uint16) * 257).tobytes())
    deep.save(FOLDER / "deep.heic", quality=90, chroma=444)


if __name__ == "__main__":
    main()

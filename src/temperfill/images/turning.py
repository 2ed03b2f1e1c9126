"""Pictures turned upright, as their orientation says (Exif 2.32, tag 274)."""

from collections.abc import Callable

import numpy as np
from PIL import Image, TiffImagePlugin

from temperfill.images import tiff
from temperfill.images.picture import DEEP_GREY, Array
from temperfill.images.tiff_writing import Form

# What turns stored rows and columns upright, by orientation.
_TURNS: dict[int, Callable[[Array], Array]] = {
    2: np.fliplr,
    3: lambda pixels: np.rot90(pixels, 2),
    4: np.flipud,
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: np.rot90(pixels, 2).swapaxes(0, 1),
    8: np.rot90,
}
_METHODS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def turn(image: Image.Image, orientation: int) -> Image.Image:
    """An image of Pillow's, upright."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # Pillow turns it while it is decoded
        return image
    return image.transpose(_METHODS[orientation]) if orientation in _METHODS else image


def turn_deep(image: Image.Image, mode: str, values: Array, orientation: int) -> tuple[Image.Image, tuple[str, Array]]:
    """Turns values (H, W, C) as the orientation says; the image has what else the file said."""
    rest = Image.new("L", (1, 1))
    rest.info = dict(image.info)
    if isinstance(image, tiff.DeepTiff):
        layout = image.layout
        kind = layout.compression if layout.compression in (tiff.NONE, tiff.LZW) else tiff.DEFLATE
        rest.info["layout"] = Form(kind, layout.planes, layout.kind.byteorder == ">")
    if orientation in _TURNS:
        values = np.ascontiguousarray(_TURNS[orientation](values))
    key = rest.info.get("transparency")
    if key is not None and mode in ("L", "RGB"):  # as above
        opaque = (values != np.array(key, values.dtype)).any(-1, keepdims=True) * np.iinfo(values.dtype).max
        mode, values = mode + "A", np.concatenate((values, opaque.astype(values.dtype)), -1)
    if values.shape[2] == 1:
        names = {kind: name for name, kind in DEEP_GREY.items()}
        mode, values = names.get(values.dtype.name, mode), values[..., 0]
    return rest, (mode, values)

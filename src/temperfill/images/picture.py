"""A decoded picture in its own mode and depth."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Array = NDArray[Any]

MODES = ("1", "L", "LA", "P", "RGB", "RGBX", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I;16", "I", "F")
"""Modes of Pillow that are supported."""
DEEP_GREY = {"I;16": "uint16", "I": "int32", "F": "float32"}
"""Modes of Pillow for grey with more than 8 bits; it has none for colours."""
_FOR_WRITING = ("jpeg", "layout", "pages", "per_cm")  # of a file in the same format, and nothing that Pillow knows
_AT_ONCE = 4_000_000  # pixels that are copied at once


@dataclass(frozen=True)
class Picture:
    """A decoded, upright picture in its own mode and depth.

    Attributes:
        pixels: (H, W) or (H, W, C); palette indices for mode P, bool for mode 1, else of any depth: uint8, uint16,
            other whole numbers, or floating point.
        mode: one of MODES. Grey of 16 bits is I;16, of floats from an array L.
        info: what a file said besides its pixels (exif, icc_profile, transparency, dpi, ...).
        palette: RGB bytes of the palette of mode P.
    """

    pixels: Array
    mode: str
    info: dict[str, Any]
    palette: bytes | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width, pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    @property
    def is_deep(self) -> bool:
        """Whether its values have more than 8 bits."""
        return self.pixels.dtype not in (np.bool_, np.uint8)

    @property
    def fits_pillow(self) -> bool:
        """Whether Pillow has a mode for it; else it is rounded to 8 bits for Pillow."""
        return not self.is_deep or self.pixels.dtype.name == DEEP_GREY.get(self.mode)

    @property
    def span(self) -> tuple[float, float]:
        """The values of black and white.

        Those of floats are 0 and 1, and those of whole numbers with a sign or 32 bits 0 and 255; where a picture goes
        beyond them, its own lowest and highest value take their place.
        """
        kind = self.pixels.dtype
        if kind in (np.bool_, np.uint8, np.uint16):
            return 0.0, float(1 if kind == np.bool_ else np.iinfo(kind).max)
        usual = 1.0 if kind.kind == "f" else 255.0
        return min(0.0, float(self.pixels.min())), max(usual, float(self.pixels.max()))

    @property
    def alpha(self) -> Array | None:
        """(H, W) opacity in the picture's depth, 0 to 255 for a palette, or None for a mode without."""
        if self.mode in ("RGBA", "LA"):
            return self.pixels[..., -1]
        return palette_table(self)[self.pixels, 3] if "transparency" in self.info and self.mode == "P" else None

    @property
    def opacity(self) -> NDArray[np.float32] | None:
        """(H, W) opacity in [0, 1], or None for a mode without."""
        alpha = self.alpha
        if alpha is None:
            return None
        return alpha.astype(np.float32) / np.float32(full(alpha.dtype))

    def is_transparency(self, hole: NDArray[np.bool_]) -> bool:
        """Whether a hole (H, W) is just what is more transparent than opaque."""
        opacity = self.opacity
        return opacity is not None and bool(hole.any()) and np.array_equal(hole, opacity <= 0.5)

    def hiding(self, hole: NDArray[np.bool_]) -> "Picture":
        """The picture without the values in a hole (H, W), where ``span`` would look at them."""
        if self.pixels.dtype in (np.bool_, np.uint8, np.uint16):
            return self
        pixels = self.pixels.copy()
        colours = pixels[..., :-1] if self.mode in ("RGBA", "LA") else pixels
        colours[hole] = 0
        return replace(self, pixels=pixels)

    def rounded(self, kind: type[np.uint8] | type[np.uint16]) -> "Picture":
        """The picture with 8 or 16 bits for each colour, if it has more, black and white being those of ``span``."""
        most = np.iinfo(kind)
        if self.pixels.dtype.itemsize < most.dtype.itemsize or self.pixels.dtype in (kind, np.bool_):
            return self
        low, high = self.span
        pixels = np.empty(self.pixels.shape, kind)
        for row, values in zip(pixels, self.pixels, strict=True):  # by rows, as the numbers between take memory
            row[:] = np.rint((values - np.float64(low)) * (most.max / (high - low))).clip(0, most.max)
        grey = "I;16" if kind is np.uint16 else "L"
        return replace(self, pixels=pixels, mode=grey if self.mode in ("L", *DEEP_GREY) else self.mode)

    def to_image(self) -> Image.Image:
        """The picture for Pillow, with palette and info; what Pillow has no mode for is rounded to 8 bits."""
        if not self.fits_pillow:
            return self.rounded(np.uint8).to_image()
        pixels = self.pixels[..., 0] if self.pixels.shape[2:] == (1,) else self.pixels
        image = Image.fromarray(pixels) if self.mode in ("1", *DEEP_GREY) else Image.fromarray(pixels, self.mode)
        if self.palette is not None:
            image.putpalette(self.palette, "RGB")
        image.info.update({key: value for key, value in self.info.items() if key not in _FOR_WRITING})
        return image


def full(kind: np.dtype[Any]) -> float:
    """The value of full opacity, and of white where ``span`` does not say otherwise: 1 for floats, else the largest."""
    return 1.0 if kind.kind == "f" else float(np.iinfo(kind).max)


def bands(image: Image.Image) -> Iterator[Array]:
    """Pixels of an image from top to bottom; of a large one in parts, as Pillow copies twice what it hands out."""
    rows = image.height if image.width * image.height <= _AT_ONCE else max(_AT_ONCE // image.width, 1)
    for top in range(0, image.height, rows):
        whole = rows == image.height
        yield np.asarray(image if whole else image.crop((0, top, image.width, min(top + rows, image.height))))


def pixels_of(image: Image.Image) -> Array:
    """Pixels of an image, as ``np.asarray`` gives them."""
    result, top = None, 0
    for band in bands(image):
        if len(band) == image.height:
            return band
        result = np.empty((image.height, *band.shape[1:]), band.dtype) if result is None else result
        result[top : top + len(band)] = band
        top += len(band)
    return np.asarray(image) if result is None else result


def to_bytes(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """[0, 1] to the nearest byte."""
    return np.clip(np.rint(np.asarray(values, np.float32) * 255), 0, 255).astype(np.uint8)


def palette_table(picture: Picture) -> NDArray[np.uint8]:
    """(256, 4) RGBA of every index; entries that the palette lacks are black."""
    indices = replace(picture, pixels=np.arange(256, dtype=np.uint8)[None])
    return np.asarray(indices.to_image().convert("RGBA"))[0]

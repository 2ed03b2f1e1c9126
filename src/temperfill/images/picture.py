"""A decoded picture in its own mode and depth, its view as RGB in [0, 1], and the way back for the hole."""

import io
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

Array = NDArray[Any]

MODES = ("1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "I;16", "F")
"""Modes of Pillow that are supported."""
# ICC colour space that a profile must have to describe a mode, and the mode in which colours pass through it.
_PROFILES = {
    "L": ("GRAY", "L"),
    "LA": ("GRAY", "L"),
    "P": ("RGB", "RGB"),
    "RGB": ("RGB", "RGB"),
    "RGBA": ("RGB", "RGB"),
    "CMYK": ("CMYK", "CMYK"),
}


@dataclass(frozen=True)
class Picture:
    """A decoded, upright picture in its own mode and depth.

    Attributes:
        pixels: (H, W) or (H, W, C); palette indices for mode P, bool for mode 1.
        mode: one of MODES, or "float" for a float array in [0, 1] with 1 or 3 channels.
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
    def alpha(self) -> NDArray[np.uint8] | None:
        """(H, W) opacity from 0 to 255, or None for a mode without."""
        if self.mode in ("RGBA", "LA"):
            return self.pixels[..., -1]
        return _palette_table(self)[self.pixels, 3] if "transparency" in self.info and self.mode == "P" else None

    def to_image(self) -> Image.Image:
        """The picture for Pillow, with palette and info; float arrays are rounded to 8 bits."""
        if self.mode == "float":
            return Image.fromarray(to_bytes(self.pixels))
        if self.mode in ("1", "I;16", "F"):
            image = Image.fromarray(self.pixels)
        else:
            image = Image.fromarray(self.pixels, self.mode)
        if self.palette is not None:
            image.putpalette(self.palette, "RGB")
        image.info.update(self.info)
        return image


def to_bytes(values: NDArray[np.floating[Any]]) -> NDArray[np.uint8]:
    """[0, 1] to the nearest byte."""
    return np.clip(np.rint(np.asarray(values, np.float32) * 255), 0, 255).astype(np.uint8)


def to_rgb(picture: Picture) -> NDArray[np.float32]:
    """(H, W, 3) sRGB in [0, 1], through the embedded profile; alpha is left aside.

    Sixteen-bit grey and float pictures are taken as they are, without their profile.
    """
    if picture.mode in ("float", "F", "I;16"):
        scale = np.float32(65535 if picture.mode == "I;16" else 1)
        values: NDArray[np.float32] = picture.pixels.astype(np.float32) / scale
        grey = values.size == picture.size[0] * picture.size[1]
        return np.repeat(values.reshape(*picture.size, 1), 3, 2) if grey else values
    if picture.mode == "P":
        # Through the table: Pillow warns about palettes with several transparent entries.
        colours = _strip(_palette_table(picture)[:, :3], "RGB")
        return _to_srgb(colours, picture)[0][picture.pixels]
    colour_mode = {"LA": "L", "RGBA": "RGB"}.get(picture.mode, picture.mode)
    image = picture.to_image()
    return _to_srgb(image if colour_mode == picture.mode else image.convert(colour_mode), picture)


def paste(picture: Picture, filled: NDArray[np.floating[Any]], hole: NDArray[np.bool_]) -> Picture:
    """The picture with the hole taken from ``filled``; all other pixels, and alpha everywhere, keep their bytes.

    Args:
        picture: gives mode, depth and metadata.
        filled: (H, W, 3) sRGB in [0, 1].
        hole: (H, W), True = take from ``filled``.
    """
    pixels = picture.pixels.copy()
    colours = np.clip(filled[hole].astype(np.float32), 0, 1)
    if len(colours) == 0:
        return replace(picture, pixels=pixels)
    values = _from_srgb(colours, picture)
    if picture.mode == "P":
        pixels[hole] = _nearest_indices(picture, values, pixels[hole])
    elif picture.mode in ("RGBA", "LA"):
        colour_channels = pixels[..., :-1]
        colour_channels[hole] = values.reshape(len(colours), -1)
    else:
        pixels[hole] = values.reshape(len(colours), *pixels.shape[2:])
    return replace(picture, pixels=pixels)


def luminance(picture: Picture) -> NDArray[np.float32]:
    """(H, W) brightness in [0, 1] (ITU-R 601), without any profile."""
    plain = replace(picture, info={k: v for k, v in picture.info.items() if k != "icc_profile"})
    if picture.mode in ("1", "L", "LA"):
        values = picture.pixels[..., 0] if picture.mode == "LA" else picture.pixels
        return values.astype(np.float32) / np.float32(1 if picture.mode == "1" else 255)
    return _grey(to_rgb(plain))


def _grey(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return colours @ np.array([0.299, 0.587, 0.114], np.float32)


def _strip(colours: Array, mode: str) -> Image.Image:
    """Colours (N, C) as an image of height 1."""
    return Image.fromarray(np.ascontiguousarray(colours)[None], mode)


def _to_srgb(image: Image.Image, picture: Picture) -> NDArray[np.float32]:
    transform = _transform(picture, to_srgb=True)
    image = image.convert("RGB") if transform is None else ImageCms.applyTransform(image, transform) or image
    return np.asarray(image).astype(np.float32) / np.float32(255)


def _from_srgb(colours: NDArray[np.float32], picture: Picture) -> Array:
    """Colours (N, 3) as values of the picture's mode: (N,) or (N, C); for mode P RGB bytes in its colour space."""
    mode, dtype = picture.mode, picture.pixels.dtype
    if mode == "float":
        return (colours if picture.pixels.shape[2:] == (3,) else _grey(colours)).astype(dtype)
    if mode == "F":
        return _grey(colours).astype(dtype)
    if mode == "I;16":
        return np.rint(np.clip(_grey(colours), 0, 1) * 65535).astype(dtype)
    if mode == "1":
        return _grey(colours) > 0.5
    transform = _transform(picture, to_srgb=False)
    if transform is not None:
        return np.asarray(ImageCms.applyTransform(_strip(to_bytes(colours), "RGB"), transform))[0]
    if mode in ("L", "LA"):
        return to_bytes(_grey(colours))
    return np.asarray(_strip(to_bytes(colours), "RGB").convert(_PROFILES[mode][1]))[0]


def _transform(picture: Picture, *, to_srgb: bool) -> ImageCms.ImageCmsTransform | None:
    """Conversion between the embedded profile and sRGB; None where none is needed or the profile is of no use."""
    data = picture.info.get("icc_profile")
    if not data or picture.mode not in _PROFILES:
        return None
    space, mode = _PROFILES[picture.mode]
    srgb = ImageCms.createProfile("sRGB")
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(data))
        if profile.profile.xcolor_space.strip() != space:
            raise ImageCms.PyCMSError(f"it describes {profile.profile.xcolor_space.strip()} colours")
        if space == "RGB" and "sRGB" in ImageCms.getProfileDescription(profile):
            return None
        source, target, modes = (profile, srgb, (mode, "RGB")) if to_srgb else (srgb, profile, ("RGB", mode))
        intent, flags = ImageCms.Intent.RELATIVE_COLORIMETRIC, ImageCms.Flags.BLACKPOINTCOMPENSATION
        return ImageCms.buildTransform(source, target, modes[0], modes[1], renderingIntent=intent, flags=flags)
    except (ImageCms.PyCMSError, OSError, TypeError, ValueError) as error:
        warnings.warn(f"the embedded colour profile is ignored ({error})", UserWarning, stacklevel=3)
        return None


def _palette_table(picture: Picture) -> NDArray[np.uint8]:
    """(256, 4) RGBA of every index; entries that the palette lacks are black."""
    indices = replace(picture, pixels=np.arange(256, dtype=np.uint8)[None])
    return np.asarray(indices.to_image().convert("RGBA"))[0]


def _nearest_indices(picture: Picture, colours: NDArray[np.uint8], old: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """For each colour (N, 3) the index of the nearest palette entry with the opacity of the old index (N,)."""
    table = _palette_table(picture)
    used = np.arange(256) < max(len(picture.palette or b"") // 3, int(old.max()) + 1)
    result = old.copy()
    old_alpha = table[old, 3]
    for alpha in np.unique(old_alpha):
        entries = np.flatnonzero(used & (table[:, 3] == alpha))
        chosen = old_alpha == alpha
        distinct, inverse = np.unique(colours[chosen], axis=0, return_inverse=True)
        nearest = np.empty(len(distinct), np.uint8)
        for start in range(0, len(distinct), 4096):
            part = distinct[start : start + 4096, None].astype(np.int32) - table[entries, :3].astype(np.int32)
            nearest[start : start + 4096] = entries[(part**2).sum(2).argmin(1)]
        result[chosen] = nearest[inverse.reshape(-1)]
    return result

"""A picture's view as RGB in [0, 1], and the way back for the hole."""

import io
import warnings
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from temperfill.errors import InputError, printable
from temperfill.images import metadata
from temperfill.images.picture import DEEP_GREY, Array, Picture, full, palette_table, to_bytes
from temperfill.images.profiles import Profile, read_profile

# ICC colour space that a profile must have to describe a mode, and the mode in which colours pass through it.
_PROFILES = {
    "L": ("GRAY", "L"),
    "LA": ("GRAY", "L"),
    "P": ("RGB", "RGB"),
    "RGB": ("RGB", "RGB"),
    "RGBX": ("RGB", "RGB"),
    "RGBA": ("RGB", "RGB"),
    "CMYK": ("CMYK", "CMYK"),
    "LAB": ("Lab", "LAB"),
}
_DEEP_SPACES = {"RGB": b"RGB ", "RGBA": b"RGB ", "LA": b"GRAY", "L": b"GRAY", "I;16": b"GRAY", "F": b"GRAY"}


def to_rgb(picture: Picture) -> NDArray[np.float32]:
    """(H, W, 3) sRGB in [0, 1], through the embedded profile; alpha is left aside."""
    if picture.mode == "P":
        # Through the table: Pillow warns about palettes with several transparent entries.
        colours = _strip(palette_table(picture)[:, :3], "RGB")
        return _to_srgb(colours, picture)[0][picture.pixels]
    if picture.is_deep and picture.mode != "CMYK":
        return _deep_to_srgb(picture)
    picture = picture.rounded(np.uint8)
    colour_mode = {"LA": "L", "RGBA": "RGB", "RGBX": "RGB"}.get(picture.mode, picture.mode)
    image = picture.to_image()
    return _to_srgb(image if colour_mode == picture.mode else image.convert(colour_mode), picture)


def paste(
    picture: Picture, filled: NDArray[np.floating[Any]], hole: NDArray[np.bool_], opaque: bool = False
) -> Picture:
    """The picture with the hole taken from ``filled``; all other pixels keep their bits, and alpha everywhere.

    Args:
        picture: gives mode, depth and metadata.
        filled: (H, W, 3) sRGB in [0, 1].
        hole: (H, W), True = take from ``filled``.
        opaque: the hole becomes opaque, as far as a palette has opaque colours.
    """
    pixels = picture.pixels.copy()
    colours = np.clip(filled[hole].astype(np.float32), 0, 1)
    if len(colours) == 0:
        return replace(picture, pixels=pixels)
    values = _from_srgb(colours, picture)
    if picture.mode == "P":
        pixels[hole] = _nearest_indices(picture, values, pixels[hole], opaque)
    elif picture.mode in ("RGBA", "RGBX", "LA"):
        colour_channels = pixels[..., :-1]
        colour_channels[hole] = values.reshape(len(colours), -1)
        if opaque and picture.mode != "RGBX":
            pixels[hole, -1] = full(pixels.dtype)
    else:
        pixels[hole] = values.reshape(len(colours), *pixels.shape[2:])
    return replace(picture, pixels=pixels, info=metadata.without_covered(picture.info, hole))


def cut_out(picture: Picture, hole: NDArray[np.bool_]) -> Picture:
    """The hole of a picture alone: RGBA in its depth, opaque there, transparent and black elsewhere.

    Args:
        picture: filled; its profile and resolution stay.
        hole: (H, W), True = part of the result.

    Raises:
        InputError: RGBA does not hold its colours bit for bit.
    """
    check_layer(picture)
    if picture.mode == "P":
        colours: Array = palette_table(picture)[picture.pixels, :3]
    elif picture.mode == "1":
        colours = picture.pixels[..., None].astype(np.uint8) * 255
    else:
        colours = picture.pixels.reshape(*picture.size, -1)
        colours = colours[..., : 3 if colours.shape[2] > 2 else 1]
    pixels = np.zeros((*picture.size, 4), colours.dtype)
    pixels[hole, :3] = colours[hole]
    pixels[hole, 3] = full(colours.dtype)
    is_grey = picture.mode in ("1", "L", "LA", *DEEP_GREY)
    kept = ("dpi", "per_cm", "layout") + (() if is_grey else ("icc_profile",))
    return Picture(pixels, "RGBA", {key: picture.info[key] for key in kept if key in picture.info})


def check_layer(picture: Picture) -> None:
    """Raises InputError for a picture of which RGBA does not hold the colours bit for bit."""
    if picture.mode in ("CMYK", "LAB", "YCbCr", "HSV"):
        raise InputError(f"a layer is RGBA, which does not hold colours of {picture.mode}; convert the picture to RGB")
    if picture.pixels.dtype.kind != "b" and picture.span != (0, full(picture.pixels.dtype)):
        raise InputError("a layer holds 8 or 16 bits, or floats in [0, 1]; scale the picture first")


def luminance(picture: Picture) -> NDArray[np.float32]:
    """(H, W) brightness in [0, 1] (ITU-R 601), without any profile."""
    plain = replace(picture, info={k: v for k, v in picture.info.items() if k != "icc_profile"})
    if picture.mode in ("1", "L", "LA", *DEEP_GREY):
        values = picture.pixels[..., 0] if picture.pixels.ndim == 3 else picture.pixels
        return _unit(values, *picture.span)
    return _grey(to_rgb(plain))


def _unit(values: Array, low: float, high: float) -> NDArray[np.float32]:
    """Values from ``low`` to ``high`` as [0, 1]."""
    if low == 0:
        return values.astype(np.float32) / np.float32(high)
    return np.asarray((values - np.float64(low)) / (high - low), np.float32)


def _grey(colours: NDArray[np.float32]) -> NDArray[np.float32]:
    return colours @ np.array([0.299, 0.587, 0.114], np.float32)


def _strip(colours: Array, mode: str) -> Image.Image:
    """Colours (N, C) as an image of height 1."""
    return Image.fromarray(np.ascontiguousarray(colours)[None], mode)


def _deep_to_srgb(picture: Picture) -> NDArray[np.float32]:
    pixels = picture.pixels.reshape(*picture.size, -1)
    values = _unit(pixels[..., : 3 if pixels.shape[2] > 2 else 1], *picture.span).clip(0, 1)
    profile = _deep_profile(picture)
    if profile is not None:
        return profile.to_srgb(values.reshape(-1, values.shape[2])).reshape(*picture.size, 3)
    return np.repeat(values, 3, 2) if values.shape[2] == 1 else values


def _deep_from_srgb(colours: NDArray[np.float32], picture: Picture) -> Array:
    """Colours (N, 3) as values of a deep picture, without opacity: (N,) or (N, C)."""
    profile = _deep_profile(picture)
    if profile is not None:
        colours = profile.from_srgb(colours)
    elif picture.mode not in ("RGB", "RGBA"):
        colours = _grey(colours)
    return _spread(colours, picture)


def _spread(values: NDArray[np.floating[Any]], picture: Picture) -> Array:
    """Values in [0, 1] as those of a deep picture."""
    (low, high), kind = picture.span, picture.pixels.dtype
    if kind.kind == "f":
        return (values * (high - low) + low).astype(kind)
    return np.rint(np.clip(values.astype(np.float64), 0, 1) * (high - low) + low).astype(kind)


def _deep_profile(picture: Picture) -> Profile | None:
    """The embedded profile of a deep picture; None where none is needed, or it is of no use."""
    data = picture.info.get("icc_profile")
    if not data or picture.mode not in _DEEP_SPACES:
        return None
    try:
        if data[16:20] != _DEEP_SPACES[picture.mode]:
            raise ValueError(f"it describes {data[16:20].decode('latin-1').strip()} colours")
        return None if _is_srgb(data) else read_profile(data)
    except (ValueError, OSError, TypeError, ImageCms.PyCMSError) as error:
        warnings.warn(f"the embedded colour profile is ignored ({printable(str(error))})", UserWarning, stacklevel=3)
        return None


def _is_srgb(data: bytes) -> bool:
    if data[16:20] != b"RGB ":
        return False
    return "sRGB" in ImageCms.getProfileDescription(ImageCms.ImageCmsProfile(io.BytesIO(data)))


def _to_srgb(image: Image.Image, picture: Picture) -> NDArray[np.float32]:
    transform = _transform(picture, to_srgb=True)
    image = image.convert("RGB") if transform is None else ImageCms.applyTransform(image, transform) or image
    return np.asarray(image).astype(np.float32) / np.float32(255)


def _from_srgb(colours: NDArray[np.float32], picture: Picture) -> Array:
    """Colours (N, 3) as values of the picture's mode: (N,) or (N, C); for mode P RGB bytes in its colour space."""
    mode = picture.mode
    if picture.is_deep and mode != "CMYK":
        return _deep_from_srgb(colours, picture)
    if picture.is_deep:  # Pillow converts inks with 8 bits
        return _spread(_from_srgb(colours, picture.rounded(np.uint8)) / np.float64(255), picture)
    if mode == "1":
        return _grey(colours) > 0.5
    transform = _transform(picture, to_srgb=False)
    if transform is not None:
        return np.asarray(ImageCms.applyTransform(_strip(to_bytes(colours), "RGB"), transform))[0]
    if mode in ("L", "LA"):
        return to_bytes(_grey(colours))
    return np.asarray(_strip(to_bytes(colours), "RGB").convert(_PROFILES.get(mode, ("", mode))[1]))[0]


def _transform(picture: Picture, *, to_srgb: bool) -> ImageCms.ImageCmsTransform | None:
    """Conversion between the embedded profile and sRGB; None where none is needed or the profile is of no use."""
    data = picture.info.get("icc_profile")
    if picture.mode == "LAB":  # has its meaning without a profile, and no other conversion
        data = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
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
        warnings.warn(f"the embedded colour profile is ignored ({printable(str(error))})", UserWarning, stacklevel=3)
        return None


def _nearest_indices(
    picture: Picture, colours: NDArray[np.uint8], old: NDArray[np.uint8], opaque: bool
) -> NDArray[np.uint8]:
    """For each colour (N, 3) the index of the nearest palette entry with the opacity of the old index (N,), or full."""
    table = palette_table(picture)
    used = np.arange(256) < max(len(picture.palette or b"") // 3, int(old.max()) + 1)
    result = old.copy()
    old_alpha = table[old, 3]
    if opaque and (used & (table[:, 3] == 255)).any():
        old_alpha = np.full_like(old_alpha, 255)
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
